package codec

import (
	"encoding/binary"
	"math/bits"
)

// appendLong appends an Avro int or long: the zigzag of v in groups of seven bits, lowest first.
func appendLong(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		return append(dst, byte(u))
	}
	return appendWide(dst, u)
}

// appendWide is binary.AppendUvarint without a step per byte: instants and counts are written at every epoch. The groups of the
// low 56 bits are moved apart in halves: of 28 bits, of 14, of 7.
func appendWide(dst []byte, u uint64) []byte {
	w := u&(1<<28-1) | u<<4&((1<<28-1)<<32)
	w = w&0x00003fff_00003fff | w<<2&0x3fff0000_3fff0000
	w = w&0x007f007f_007f007f | w<<1&0x7f007f00_7f007f00
	dst = binary.LittleEndian.AppendUint64(dst, w|0x80808080_80808080)
	switch high := u >> 56; {
	case high >= 0x80:
		return append(dst, byte(high)|0x80, 1)
	case high > 0:
		return append(dst, byte(high))
	}
	dst = dst[:len(dst)-8+(bits.Len64(u)+6)/7]
	dst[len(dst)-1] &= 0x7f
	return dst
}

// readLong reads what appendLong wrote. It refuses overlong forms, so that a value has one encoding only.
func readLong(src []byte) (v int64, rest []byte, err error) {
	if len(src) > 0 && src[0] < 0x80 {
		u := uint64(src[0])
		return int64(u>>1) ^ -int64(u&1), src[1:], nil
	}
	u, n := binary.Uvarint(src)
	switch {
	case n == 0:
		return 0, nil, damaged("number ends early, after %d bytes", len(src))
	case n < 0:
		return 0, nil, damaged("number has more than 64 bits")
	case src[n-1] == 0:
		return 0, nil, damaged("number of %d bytes is padded", n)
	}
	return int64(u>>1) ^ -int64(u&1), src[n:], nil
}

// readBlock reads the length-prefixed bytes of a string or of bytes. The block aliases src.
func readBlock(src []byte) (block, rest []byte, err error) {
	n, rest, err := readLong(src)
	if err != nil {
		return nil, nil, err
	}
	if n < 0 || n > int64(len(rest)) {
		return nil, nil, damaged("length is %d, but %d bytes are left", n, len(rest))
	}
	return rest[:n], rest[n:], nil
}
