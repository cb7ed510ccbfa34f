package sinks

import (
	"fmt"
	"slices"
	"strings"
)

// Mode says what of a changing result a sink is given.
type Mode uint8

const (
	// Append: a row once, when it is final.
	Append Mode = iota + 1
	// Update: the changes of rows. A record of kind insert replaces the row of its key, one of kind delete withdraws it. While records
	// flow one by one each change is a record; under a micro-batch trigger there is one for each row that changed, with its last value.
	Update
	// Complete: the whole table, as inserts, at the end of each batch in which it changed, to one writer. A table that has lost its
	// last row is one record of kind delete.
	Complete
)

// String gives the mode's name.
func (m Mode) String() string {
	switch m {
	case Append:
		return "append"
	case Update:
		return "update"
	case Complete:
		return "complete"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// Moder is a Sink that does not take every output mode: Start refuses the others.
type Moder interface {
	// Modes lists those it takes, at least one.
	Modes() []Mode
}

// CheckMode is an error when sink does not take m.
func CheckMode(sink any, m Mode) error {
	moder, ok := sink.(Moder)
	if !ok || slices.Contains(moder.Modes(), m) {
		return nil
	}
	var takes []string
	for _, m := range moder.Modes() {
		takes = append(takes, m.String())
	}
	return fmt.Errorf("%s output to a sink that takes %s only", m, strings.Join(takes, " and "))
}

// Single is a Sink that wants one writer for the whole job: its step runs as one task.
type Single interface {
	// Single says whether it does. batched is as in Instance.
	Single(batched bool) bool
}

// BatchKeeper is a Sink that acts on whole batches: it has one writer for the whole job, and the engine keeps the records of a
// batch in its state and hands them over at the end of the batch, followed by EndBatch.
type BatchKeeper interface{ KeepsBatches() }

// Keyed is a row that says which other rows it replaces: those with an equal RowKey, which is comparable. Rows of tables and
// windows are.
type Keyed interface{ RowKey() any }
