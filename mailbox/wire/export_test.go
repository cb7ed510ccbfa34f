package wire

import "encoding/binary"

// Reseal makes the checksum of a frame right and the lane, the version and the attempt this end's, so that a fuzzer gets behind them.
func Reseal(b []byte) []byte {
	if len(b) < restAt {
		return b
	}
	e := newEnd(Lane{Name: "job/3/count/0-1", Attempt: 3})
	e.head(b, kind(b[kindAt]))
	seal(b)
	return b
}

// Kinds of frames.
const (
	Batch = byte(kindBatch)
	Probe = byte(kindProbe)
	Grant = byte(kindGrant)
)

// Forge makes a frame of numbers of four and eight bytes and of what follows them.
func Forge(l Lane, k byte, rest ...any) []byte {
	b := make([]byte, restAt)
	for _, r := range rest {
		switch r := r.(type) {
		case uint64:
			b = binary.BigEndian.AppendUint64(b, r)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, r)
		case string:
			b = append(b, r...)
		}
	}
	e := newEnd(l)
	e.head(b, kind(k))
	seal(b)
	return b
}
