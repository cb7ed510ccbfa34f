package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/sources"
)

// openSplit reads s as it comes.
func (h *Head[T]) openSplit(s *split[T]) {
	from := append(flow.Position{}, s.position...)
	if h.t.stepped && h.openStepped(s, from) {
		return
	}
	open := func(ctx context.Context, from flow.Position) (sources.Reader[T], error) {
		return h.src.Open(ctx, s.split, from)
	}
	h.t.Go(h.id, fmt.Sprintf("read split %s", s.split.ID), func(ctx context.Context) error { return h.read(ctx, s, from, open) })
}

// opener opens a split's reader at a position, again when its connection broke.
type opener[T any] func(ctx context.Context, from flow.Position) (sources.Reader[T], error)

// read opens split s at from and reads it to its end, or that of its part of a batch, on an I/O goroutine.
func (h *Head[T]) read(ctx context.Context, s *split[T], from flow.Position, open opener[T]) error {
	for len(s.free) < readAhead { // what an earlier reader left is there
		f := new(filled[T])
		f.Records = make([]flow.Record[T], 0, h.batch)
		s.free <- f
	}
	c := &link{report: func(err error) { h.t.report(connection{h.id, s.split.ID, err}) }}
	for wait := reopenMin; ; wait = min(wait*2, reopenMax) {
		read, err := h.readOnce(ctx, s, &from, open, c)
		if !errors.Is(err, sources.ErrDisconnected) {
			return err
		}
		c.broke(err)
		h.t.post(do(func() { s.atEnd = false })) // what came meanwhile is not known
		if read {
			wait = reopenMin
		}
		if !h.t.sleep(ctx, wait) {
			return nil
		}
	}
}

// A reader that lost its connection is opened again after reopenMin, twice as long each time it fails without a record.
const (
	reopenMin = 100 * time.Millisecond
	reopenMax = 10 * time.Second
)

// link tells the job once when a reader's connection breaks, and once when it reads again.
type link struct {
	broken bool
	report func(error)
}

func (l *link) broke(err error) {
	if !l.broken {
		l.broken = true
		l.report(err)
	}
}

func (l *link) works() {
	if l.broken {
		l.broken = false
		l.report(nil)
	}
}

// isEnd says whether a reader's error is the end of its split. A connection that broke mostly did so with an io.EOF of its
// own, so only the bare one counts, as everywhere in Go.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // wrapped, it is another error's cause

// readOnce opens a reader and reads until it ends or fails; it keeps from at the position to go on from.
func (h *Head[T]) readOnce(ctx context.Context, s *split[T], from *flow.Position, open opener[T], c *link) (read bool, err error) {
	r, err := open(ctx, *from)
	if ctx.Err() != nil && err != nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open source, split %s: %w", s.split.ID, err)
	}
	if p, ok := r.(sources.Poller[T]); ok {
		h.t.post(do(func() { s.poller = p }))
		h.t.awaitEnd(ctx)
		return true, r.Close()
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		f := take(ctx, h.t, s.free)
		if f == nil {
			return read, nil
		}
		err := r.Read(ctx, &f.Batch)
		if f.end = isEnd(err); err != nil && !f.end {
			f.Reset() // what came with the error is read again
			s.free <- f
			if ctx.Err() != nil {
				return read, nil
			}
			return read, fmt.Errorf("read source, split %s: %w", s.split.ID, err)
		}
		read = true
		c.works()
		*from = append((*from)[:0], f.Next...)
		end := f.end
		if planted.On("position-of-what-was-read-ahead") {
			s.position, s.changed = append(flow.Position{}, f.Next...), true
		}
		s.full <- f
		h.t.Bell().Ring()
		if end {
			return read, nil
		}
	}
}

// take gives the next of c, or nothing when ctx ends first.
func take[E any](ctx context.Context, t *Task, c <-chan E) (e E) {
	if t.park != nil && !t.parked(ctx, func() bool { return len(c) > 0 }, never) {
		return e
	}
	select {
	case e = <-c:
	case <-ctx.Done():
	}
	return e
}
