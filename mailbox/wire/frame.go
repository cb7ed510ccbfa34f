package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"

	"github.com/millrace-io/millrace/flow"
)

// Version is the version of the protocol. Frames of another are refused.
const Version = 1

const magic = "MRL"

type kind byte

const (
	kindBatch kind = 1 + iota
	kindProbe
	kindGrant
)

// Every frame begins with the magic, the version, the checksum of all behind it, the kind, the hash of the lane's name and the
// attempt. All numbers are big-endian and of fixed length.
const (
	sumAt     = 4
	kindAt    = sumAt + 4
	laneAt    = kindAt + 1
	attemptAt = laneAt + 8
	restAt    = attemptAt + 8

	// HeadBytes is what a frame of a batch holds in front of its piece: sequence number, length of the batch, offset of the piece.
	HeadBytes  = restAt + 8 + 4 + 4
	probeBytes = restAt + 8 + 8
	// GrantBytes is the length of the longest frame that is no batch.
	GrantBytes = restAt + 4*8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is a frame whose checksum is right.
type frame struct {
	kind    kind
	sum     uint32
	attempt flow.Attempt

	seq           uint64 // batch: its number. probe: the newest sent. grant: the newest that came
	total, offset uint32 // batch
	piece         []byte // batch
	probe         uint64 // probe: its number. grant: the number of the probe that it answers, 0: none
	taken, limit  uint64 // grant
}

// end is what both ends know of a lane: it makes heads and refuses what is not the lane's.
type end struct {
	lane  Lane
	hash  uint64
	stale uint64 // frames of older attempts
}

func newEnd(l Lane) end {
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.Name))
	return end{lane: l, hash: h.Sum64()}
}

// Stale is how many frames of older attempts were dropped.
func (e *end) Stale() uint64 { return e.stale }

// head writes the start of a frame; seal must follow.
func (e *end) head(b []byte, k kind) {
	copy(b, magic)
	b[3], b[kindAt] = Version, byte(k)
	binary.BigEndian.PutUint64(b[laneAt:], e.hash)
	binary.BigEndian.PutUint64(b[attemptAt:], uint64(e.lane.Attempt))
}

func seal(b []byte) { binary.BigEndian.PutUint32(b[sumAt:], crc32.Checksum(b[kindAt:], castagnoli)) }

// read is the frame in data, if it is the lane's. One of an older attempt is dropped: then ok is false without an error.
func (e *end) read(data []byte) (f frame, ok bool, err error) {
	if len(data) < restAt || string(data[:len(magic)]) != magic {
		return f, false, e.errorf(ErrDamaged, "%d bytes do not begin as a frame", len(data))
	}
	if data[3] != Version {
		return f, false, e.errorf(ErrVersion, "version %d, this build speaks %d", data[3], Version)
	}
	f.sum = binary.BigEndian.Uint32(data[sumAt:])
	if sum := crc32.Checksum(data[kindAt:], castagnoli); sum != f.sum {
		return f, false, e.errorf(ErrDamaged, "%d bytes have checksum %08x, not %08x", len(data), sum, f.sum)
	}
	f.kind, f.attempt = kind(data[kindAt]), flow.Attempt(binary.BigEndian.Uint64(data[attemptAt:]))
	if hash := binary.BigEndian.Uint64(data[laneAt:]); hash != e.hash {
		return f, false, e.errorf(ErrForeign, "lane %016x, this one is %016x", hash, e.hash)
	}
	switch {
	case f.attempt < e.lane.Attempt:
		e.stale++
		return f, false, nil
	case f.attempt > e.lane.Attempt:
		return f, false, e.errorf(ErrAttempt, "attempt %d came to attempt %d", f.attempt, e.lane.Attempt)
	case !f.rest(data[restAt:]):
		return f, false, e.errorf(ErrDamaged, "%d bytes are no frame of kind %d", len(data), f.kind)
	}
	return f, true, nil
}

// rest reads what depends on the kind, and says whether it has the right form.
func (f *frame) rest(b []byte) bool {
	number := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	switch {
	case f.kind == kindBatch && len(b) > HeadBytes-restAt:
		f.seq, f.total, f.offset = number(0), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
		f.piece = b[16:]
		return f.seq > 0 && uint64(f.offset)+uint64(len(f.piece)) <= uint64(f.total)
	case f.kind == kindProbe && len(b) == probeBytes-restAt:
		f.seq, f.probe = number(0), number(8)
		return f.probe > 0
	case f.kind == kindGrant && len(b) == GrantBytes-restAt:
		f.seq, f.taken, f.limit, f.probe = number(0), number(8), number(16), number(24)
		return f.taken <= f.seq && f.seq <= f.limit && f.taken < f.limit
	}
	return false
}

func (e *end) errorf(cause error, format string, args ...any) error {
	return fmt.Errorf("lane %s: %w: %s", e.lane.Name, cause, fmt.Sprintf(format, args...))
}
