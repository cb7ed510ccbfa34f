package millrace

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/operators"
)

// The words of a processor; see Keyed.Process.
type (
	// Setup declares a processor's state and timers.
	Setup[K comparable, U any] = operators.Setup[K, U]
	// Context is what a handler may know and do during one call.
	Context[K comparable, U any] = operators.Context[K, U]
	// Handler processes one record with the state and timers of its key.
	Handler[K comparable, T, U any] = operators.Handler[K, T, U]
	// Timer is a named timer of a processor.
	Timer[K comparable, U any] = operators.Timer[K, U]
	// Tag names a side output.
	Tag[U any] = operators.Tag[U]
	// Pair is a row of a changing result: a key and its newest value.
	Pair[K comparable, V any] = operators.Pair[K, V]
	// DeadLetter is a record that could not be decoded, with where it came from and why.
	DeadLetter = flow.DeadLetter
)

// NewTag makes the name of a side output of records of type U.
func NewTag[U any](name string) Tag[U] { return operators.NewTag[U](name) }
