package state

// Table is one named state of an operator: one value per key. hash is the key's codec.Key hash, as the record carries it; its
// key group must be one of the store's. Errors of a byte store and values that cannot be decoded panic with a Failure.
type Table[K comparable, V any] interface {
	// At is the value of key for writing, zero when new. It marks the entry as changed. The pointer is good until the next
	// call on this table.
	At(hash uint64, key K) *V
	// AtNew is At that also says whether the entry was made by this call.
	AtNew(hash uint64, key K) (v *V, fresh bool)
	// Get is the value of key for reading. The pointer is good until the next call on this table and must not be written.
	Get(hash uint64, key K) (*V, bool)
	// Delete removes the entry of key and says whether there was one.
	Delete(hash uint64, key K) bool
	// Len is the number of entries.
	Len() int
	// Scan calls f with at most n further entries, group by group, and says whether there may be more. A zero cursor starts;
	// the same cursor goes on. Entries that are not changed between the first and the last call are seen exactly once;
	// others may be missed or seen again. v is read only and good during f; f must not call the table. A key may be kept.
	Scan(cursor *Cursor, n int, f func(key K, v *V)) (more bool)
}

// Cursor is a place in a Scan. The zero Cursor is before the first entry.
type Cursor struct {
	group int    // offset in the store's range
	pos   uint32 // in memory: the next position
	begun bool   // in a byte store: the group's entries were written back
	after []byte // in a byte store: the last key seen, nil at the start of a group
}

// At is the current key of an operator's handles. The operator sets it before it calls user code.
type At[K comparable] struct {
	Hash uint64
	Key  K
}

// TimerDomain is the time a timer waits for.
type TimerDomain uint8

const (
	// ProcessingTime timers are due when the engine's clock passes them.
	ProcessingTime TimerDomain = iota
	// EventTime timers are due when the watermark passes them.
	EventTime
	timerDomains = 2
)

// TimerID names a registered timer within its operator and process; ids are given in the order of registration.
type TimerID uint16
