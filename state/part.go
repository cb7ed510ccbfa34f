package state

import "github.com/millrace-io/millrace/internal/delta"

// Marks of an entry.
const (
	markLive   uint8 = 1 << iota // the position is in use
	markBorn                     // made in the epoch that wrote it last: no snapshot holds its key
	markQueued                   // the expiry queue holds the position, whoever uses it
	markUsed                     // in a cache: touched since the clock hand came by
	markStale                    // in a cache: the byte store does not hold the newest value
	markStored                   // in a cache: the byte store holds a value
	markHeld                     // not in use any more, but its key is still needed
)

// status is what a table notes about the entry at a position. It stands apart from the entry, which so takes no more cache lines
// than key and value need; the statuses of 100,000 entries fit a processor's own cache.
type status struct {
	epoch uint8 // 1 or 2: the epoch that wrote the entry and has not yet encoded it; 0 when settled
	marks uint8
}

// part is the table of one key group. Small parts keep the longest growth short, and they are the unit of restore.
type part struct {
	ix   index
	sl   slab
	ar   arena
	bufs [2]buffer // encoded entries of the running and the frozen epoch, by epoch-1

	_ [partPad]byte
}

// partPad makes a part whole cache lines long, so that what a look-up reads of it (the index, the slab's first chunk and its
// statuses) is two lines, one behind the other.
const partPad = 56

// buffer collects encoded entries of one key group.
type buffer struct {
	data  []byte
	count int
}

func (b *buffer) put(key, value []byte) {
	b.data, b.count = delta.AppendPut(b.data, key, value), b.count+1
}
func (b *buffer) delete(key []byte) { b.data, b.count = delta.AppendDelete(b.data, key), b.count+1 }

// place is a position within a table: part<<32 | position in the part's slab.
type place uint64

func placeOf(part int, pos uint32) place { return place(part)<<32 | place(pos) }
func (p place) part() int                { return int(p >> 32) }
func (p place) pos() uint32              { return uint32(p) }
