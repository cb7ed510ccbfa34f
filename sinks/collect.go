package sinks

import (
	"context"
	"sync"

	"github.com/millrace-io/millrace/flow"
)

// Collector is a sink in memory, for tests and small results. It may be read at any time, also while the job runs. What
// an attempt wrote stays when the next one writes it again: it is at-least-once.
type Collector[T any] struct {
	mu   sync.Mutex
	rows []Row[T]
}

// Row is a record as it was written.
type Row[T any] struct {
	Kind   flow.Kind
	TimeNS int64 // event time, nanoseconds since the Unix epoch
	Value  T
}

// Collect is an empty Collector.
func Collect[T any]() *Collector[T] { return &Collector[T]{} }

// Open implements Sink.
func (c *Collector[T]) Open(context.Context, Instance) (Writer[T], error) {
	return &collecting[T]{c}, nil
}

// Guarantee implements Guarantor.
func (c *Collector[T]) Guarantee() string { return "at-least-once" }

// Rows is a copy of what was written so far, each task's in its order.
func (c *Collector[T]) Rows() []Row[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Row[T](nil), c.rows...)
}

// Values is the values of Rows.
func (c *Collector[T]) Values() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	vs := make([]T, len(c.rows))
	for i, r := range c.rows {
		vs[i] = r.Value
	}
	return vs
}

// Len is the number of records written so far.
func (c *Collector[T]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.rows)
}

type collecting[T any] struct{ to *Collector[T] }

func (w *collecting[T]) Inline() {}

func (w *collecting[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		w.to.rows = append(w.to.rows, Row[T]{b.KindOf(i), r.TimeNS, r.Value})
	}
	return nil
}

func (w *collecting[T]) Flush(context.Context) error { return nil }
func (w *collecting[T]) Close() error                { return nil }
