package sources

import (
	"context"

	"github.com/millrace-io/millrace/flow"
)

// Replayable is a Source that says whether it can be read again from a position. One that cannot gives each record
// once: what was read after the last complete epoch is lost when an attempt fails, so the job is at-most-once over its
// restarts. The engine says so at start. A Source without this method can be replayed.
type Replayable interface {
	Replayable() bool
}

// CanReplay says whether src can be read again from a position.
func CanReplay[T any](src Source[T]) bool {
	r, ok := src.(Replayable)
	return !ok || r.Replayable()
}

// Uncommitted is a Source that says whether it gives records which their writer may still take back: those of open and aborted transactions. In front
// of a sink that publishes exactly once Start refuses it.
type Uncommitted interface {
	ReadsUncommitted() bool
}

// ReadsUncommitted says whether src gives records that may be taken back.
func ReadsUncommitted[T any](src Source[T]) bool {
	u, ok := src.(Uncommitted)
	return ok && u.ReadsUncommitted()
}

// wrapped forwards the abilities of the source that a wrapper wraps.
type wrapped[T any] struct{ inner Source[T] }

func (w wrapped[T]) Check(ctx context.Context) error {
	if c, ok := w.inner.(Checker); ok {
		return c.Check(ctx)
	}
	return nil
}

func (w wrapped[T]) DiscoverEveryNS() int64 {
	if d, ok := w.inner.(Discoverer); ok {
		return d.DiscoverEveryNS()
	}
	return 0
}

func (w wrapped[T]) EndedAt(s flow.Split, at flow.Position) error {
	if n, ok := w.inner.(EndNoter); ok {
		return n.EndedAt(s, at)
	}
	return nil
}

func (w wrapped[T]) Replayable() bool { return CanReplay(w.inner) }

func (w wrapped[T]) ReadsUncommitted() bool { return ReadsUncommitted(w.inner) }
