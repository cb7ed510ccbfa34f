package flow

// Kind says what a record does to a changing result. Append-only streams hold inserts alone.
type Kind uint8

const (
	// Insert is a new row. On a stream that updates by key without before-images it is an upsert: the key's newest value.
	Insert Kind = iota
	// UpdateBefore withdraws the value that the UpdateAfter behind it replaces.
	UpdateBefore
	// UpdateAfter is the new value of a row whose old value was withdrawn by the UpdateBefore before it.
	UpdateAfter
	// Delete withdraws a row; the value is the last one sent.
	Delete
	// Final is a row's last value, sent once besides its changes: readers of final rows take it and no other, readers of changes
	// drop it. It comes only where both read the same operator; where all want final rows those are inserts.
	Final
)

// String gives the kind's name as it stands in the docs.
func (k Kind) String() string {
	switch k {
	case Insert:
		return "insert"
	case UpdateBefore:
		return "update-before"
	case UpdateAfter:
		return "update-after"
	case Delete:
		return "delete"
	case Final:
		return "final"
	}
	return "unknown"
}

// Record is a value with its event time and, behind a KeyBy, the hash of its key. What a value points to is immutable
// once emitted: fan-out, broadcast and snapshots share it.
type Record[T any] struct {
	TimeNS int64  // event time, nanoseconds since the Unix epoch
	Hash   uint64 // codec.Key's hash of the record's key; decides key group and task
	Value  T
}

// Batch is what a lane carries. The mark holds after the last record; records may be empty when only the mark matters.
type Batch[T any] struct {
	Records []Record[T]
	Kinds   []Kind // one per record, or empty: all inserts
	Mark    Mark
	Seq     uint64  // numbers the batches of a lane from 1
	Attempt Attempt // what carries an older attempt than its receiver's is dropped
}

// Reset empties the batch for reuse. It clears the records, or a pool would keep what they point to alive.
func (b *Batch[T]) Reset() {
	clear(b.Records)
	b.Records, b.Kinds, b.Mark, b.Seq, b.Attempt = b.Records[:0], b.Kinds[:0], Mark{}, 0, 0
}

// KindOf is the kind of record i.
func (b *Batch[T]) KindOf(i int) Kind {
	if len(b.Kinds) == 0 {
		return Insert
	}
	return b.Kinds[i]
}
