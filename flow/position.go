package flow

import "time"

// Position is where to resume in a split: after the last record handed over. Its bytes belong to the source.
type Position []byte

// Split is the unit of a source that one reader reads; a Kafka partition is a split.
type Split struct {
	ID    string   // stable over restarts, unique within the source: "orders/3"
	Start Position // where a reader begins that has no position yet; resolved when the split was found
}

// DeadLetter is a record that could not be decoded or handled, with where it came from.
type DeadLetter struct {
	Operator string    // the source's id
	Split    string    // such as "orders/3"
	Position string    // as a person reads it: an offset, a line number
	Reason   string    // what was wrong
	Key      []byte    // raw key when there is one
	Value    []byte    // raw bytes, cut to DeadLetterBytesMax
	Time     time.Time // the source's timestamp, zero when unknown
}

// DeadLetterBytesMax bounds the raw bytes a dead letter carries.
const DeadLetterBytesMax = 1 << 20
