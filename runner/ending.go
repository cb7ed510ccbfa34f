package runner

import (
	"context"

	"github.com/millrace-io/millrace/sources"
)

// ending is a source that ends after a number of records. It finds no splits while it runs: the engine would wait for them,
// and the job would not end.
type ending[T any] struct{ sources.Source[T] }

// endAfter ends src after exactly records.
func endAfter[T any](src sources.Source[T], records int64) sources.Source[T] {
	return ending[T]{sources.First(src, records)}
}

// Check implements sources.Checker.
func (e ending[T]) Check(ctx context.Context) error {
	if c, ok := e.Source.(sources.Checker); ok {
		return c.Check(ctx)
	}
	return nil
}

// Replayable implements sources.Replayable.
func (e ending[T]) Replayable() bool { return sources.CanReplay(e.Source) }
