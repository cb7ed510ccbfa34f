package checkpoint

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// A frame is a magic of 4 bytes, the format version (2 bytes), the payload's length (4), the payload and the CRC32C of
// all before (4). Integers are little endian.
//
// Format 3 knows inline runs; in all else it is format 2.
const (
	formatVersion  = 3
	oldestVersion  = 2 // that is read
	frameHeadBytes = 10
	crcBytes       = 4

	headMagic   = "MRhd"
	recordMagic = "MRsl"
	runMagic    = "MRrn"

	savepointMagic = "MRsv"
	originMagic    = "MRor"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal frames a payload.
func seal(magic string, payload []byte) []byte {
	b := make([]byte, 0, frameHeadBytes+len(payload)+crcBytes)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint16(b, formatVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, payload...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// frameSize checks the first frameHeadBytes of a frame and gives its whole length.
func frameSize(magic string, b []byte) (int64, error) {
	if len(b) < frameHeadBytes {
		return 0, fmt.Errorf("%w: cut off after %d bytes", ErrDamaged, len(b))
	}
	if string(b[:4]) != magic {
		return 0, fmt.Errorf("%w: starts with %q, want %q", ErrDamaged, b[:4], magic)
	}
	if v := version(b); v < oldestVersion || v > formatVersion {
		return 0, fmt.Errorf("%w %d, this build reads %d to %d", ErrVersion, v, oldestVersion, formatVersion)
	}
	return int64(binary.LittleEndian.Uint32(b[6:])) + frameHeadBytes + crcBytes, nil
}

// version is the format that a frame is written in.
func version(frame []byte) uint16 { return binary.LittleEndian.Uint16(frame[4:]) }

// unseal checks a frame that is all of b and gives its payload, which aliases b.
func unseal(magic string, b []byte) ([]byte, error) {
	size, err := frameSize(magic, b)
	if err != nil {
		return nil, err
	}
	if size != int64(len(b)) {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrDamaged, len(b), size)
	}
	body := b[:len(b)-crcBytes]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	return body[frameHeadBytes:], nil
}

func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// fields reads what the append functions wrote. After the first error it gives zero values.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) fail(what string) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: %s, %d bytes left", ErrDamaged, what, len(f.rest))
	}
	f.rest = nil
}

func (f *fields) uvarint() uint64 {
	n, w := binary.Uvarint(f.rest)
	if w <= 0 {
		f.fail("number cut off")
		return 0
	}
	f.rest = f.rest[w:]
	return n
}

// int63 is a number that fits a non-negative int64.
func (f *fields) int63() int64 {
	n := f.uvarint()
	if n > math.MaxInt64 {
		f.fail("number too large")
		return 0
	}
	return int64(n)
}

// bytes aliases what is read from.
func (f *fields) bytes() []byte {
	return f.fixed(f.uvarint())
}

func (f *fields) string() string { return string(f.bytes()) }

func (f *fields) fixed(n uint64) []byte {
	if f.err != nil || n > uint64(len(f.rest)) {
		f.fail(fmt.Sprintf("field of %d bytes cut off", n))
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

// count is the number of items that follow, each of at least one byte: so what is allocated for them is bounded by what
// was read.
func (f *fields) count() int {
	n := f.uvarint()
	if n > uint64(len(f.rest)) {
		f.fail(fmt.Sprintf("list of %d items cut off", n))
		return 0
	}
	return int(n)
}

// end checks that nothing is left.
func (f *fields) end() error {
	if f.err == nil && len(f.rest) > 0 {
		f.fail("more than expected")
	}
	return f.err
}
