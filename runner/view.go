package runner

import (
	"context"
	"fmt"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// view is a live sink as the screen sees it. Its methods are called by the screen's goroutine.
type view interface {
	// table is what it shows now, at most rows rows.
	table(rows int) table
	// latencies adds what was measured since the last call.
	latencies(into *hdrhistogram.Histogram)
	// filled is sent to when the first rows have come.
	filled() <-chan struct{}
}

// table is text in columns.
type table struct {
	columns []string
	right   []bool // per column: aligned to the right
	rows    [][]string
}

// live is what views have in common: a sink whose writers are those of the newest attempt.
type live[T any, W liveWriter[T]] struct {
	make  func() W
	quiet bool
	first chan struct{}
	once  sync.Once

	mu      sync.Mutex
	attempt flow.Attempt
	tasks   []W
}

// liveWriter keeps what one task shows. Its methods are called under the meter's lock.
type liveWriter[T any] interface {
	meterOf() *meter
	take(b *flow.Batch[T], nowNS int64)
}

func newLive[T any, W liveWriter[T]](quiet bool, make func() W) *live[T, W] {
	return &live[T, W]{make: make, quiet: quiet, first: newSignal()}
}

func newSignal() chan struct{} { return make(chan struct{}, 1) }

// Guarantee implements sinks.Guarantor.
func (*live[T, W]) Guarantee() string { return "shown live, kept nowhere" }

// Open implements sinks.Sink.
func (l *live[T, W]) Open(_ context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		return unseen[T]{}, nil
	}
	if at.Attempt != l.attempt {
		l.attempt, l.tasks = at.Attempt, nil
	}
	w := l.make()
	l.tasks = append(l.tasks, w)
	return &liveTask[T, W]{view: l, w: w, meter: w.meterOf()}, nil
}

func (l *live[T, W]) filled() <-chan struct{} { return l.first }

// each calls f with the writers of the newest attempt, each under its lock.
func (l *live[T, W]) each(f func(W)) {
	l.mu.Lock()
	tasks := l.tasks
	l.mu.Unlock()
	for _, w := range tasks {
		m := w.meterOf()
		m.mu.Lock()
		f(w)
		m.mu.Unlock()
	}
}

func (l *live[T, W]) latencies(into *hdrhistogram.Histogram) {
	l.each(func(w W) { w.meterOf().drain(into) })
}

// liveTask is the writer of one task. It runs on the task's loop.
type liveTask[T any, W liveWriter[T]] struct {
	view  *live[T, W]
	w     W
	meter *meter
	seen  bool
}

// Inline implements sinks.Inline.
func (*liveTask[T, W]) Inline() {}

// Write implements sinks.Writer.
func (t *liveTask[T, W]) Write(_ context.Context, b *flow.Batch[T]) error {
	t.meter.mu.Lock()
	t.w.take(b, observe(t.meter, b))
	t.meter.mu.Unlock()
	if !t.seen {
		t.seen = true
		t.view.once.Do(func() { t.view.first <- struct{}{} })
	}
	return nil
}

// Flush implements sinks.Writer.
func (*liveTask[T, W]) Flush(context.Context) error { return nil }

// Close implements sinks.Writer.
func (*liveTask[T, W]) Close() error { return nil }

// unseen is the writer of a view that is not shown.
type unseen[T any] struct{}

func (unseen[T]) Inline()                                     {}
func (unseen[T]) Write(context.Context, *flow.Batch[T]) error { return nil }
func (unseen[T]) Flush(context.Context) error                 { return nil }
func (unseen[T]) Close() error                                { return nil }

// number is n with separators of thousands.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
