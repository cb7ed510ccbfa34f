package sources

import (
	"context"

	"github.com/millrace-io/millrace/flow"
)

// Bounder is a Source that can be read in batches whose ends are known before their first record is read, as micro-batch
// triggers need it. Ask BounderOf for it: a wrapper has the ability only when what it wraps does. An engine that goes on
// with a split calls one of the methods for every split it knows, also for those that have nothing.
type Bounder[T any] interface {
	// Latest is where a batch of split s that begins at from should end now: behind what is there, but at most max records
	// (of a source of files: files) behind from; 0 is no limit, though a source without an end gives some number of its own.
	// until equal to from means that there is nothing. The error io.EOF, not wrapped, comes with a valid until: the split ends
	// there for good. ErrDisconnected may be tried again. ctx bounds the call.
	Latest(ctx context.Context, s flow.Split, from flow.Position, max int64) (until flow.Position, err error)
	// OpenUntil is Open for a reader that returns io.EOF exactly at until, although the split may go on. from is where the
	// batch begins or any position that such a reader gave; the records from one to the other are the same each time.
	// The next batch begins at the position that came with io.EOF.
	OpenUntil(ctx context.Context, s flow.Split, from, until flow.Position) (Reader[T], error)
}

// BounderOf is src's ability to be read in bounded batches, if it has it.
func BounderOf[T any](src Source[T]) (Bounder[T], bool) {
	if w, ok := src.(interface{ bounder() (Bounder[T], bool) }); ok {
		return w.bounder()
	}
	b, ok := src.(Bounder[T])
	return b, ok
}

// openEndedMax is the most records in a batch without limit of a split that always has more.
const openEndedMax = 1 << 16

// limit is how many of the there records a batch of at most most takes.
func limit(there, most int64) int64 {
	if most > 0 {
		return min(there, most)
	}
	return there
}
