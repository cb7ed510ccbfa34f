package codec

import "encoding/binary"

// appendLong appends an Avro int or long: the zigzag of v in groups of seven bits, lowest first.
func appendLong(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		return append(dst, byte(u))
	}
	return binary.AppendUvarint(dst, u)
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
