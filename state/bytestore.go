package state

import "github.com/millrace-io/millrace/flow"

// ByteStores opens the working stores of one task. They hold live state that does not fit into memory and nothing else: they
// are empty when opened and may be lost with the process, because the truth is in the snapshots.
type ByteStores interface {
	// Open gives the store of one state, empty. The store's owner closes it after the task has ended.
	Open(operator, state string) (ByteStore, error)
}

// ByteStore holds the encoded entries of one state, ordered by key within a key group. The task's loop alone calls it. Reads
// see all earlier writes; between two writes nothing changes, so an implementation may keep one read transaction open from
// the first read after a write to the next write.
type ByteStore interface {
	// Get appends the value of key to dst and returns the extended slice; false and dst when the key is absent.
	Get(group flow.KeyGroup, key, dst []byte) (value []byte, ok bool, err error)
	// Write applies the batch in order; of several writes to one key the last wins. It keeps none of the slices.
	Write(batch []Write) error
	// Scan calls f with the entries of group whose key is greater than after, in key order (all when after is nil), until f
	// returns false. The slices are valid during the call of f only; f does not call the store.
	Scan(group flow.KeyGroup, after []byte, f func(key, value []byte) bool) error
}

// Write is one change of a batch.
type Write struct {
	Group      flow.KeyGroup
	Key, Value []byte
	Delete     bool // Value is not used
}
