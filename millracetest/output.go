package millracetest

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Kind says what a record does to a changing result.
type Kind = flow.Kind

// The kinds of records.
const (
	Insert       = flow.Insert // also: the newest row of its key
	UpdateBefore = flow.UpdateBefore
	UpdateAfter  = flow.UpdateAfter
	Delete       = flow.Delete
)

// Record is a record as it came out.
type Record[U any] struct {
	Kind  Kind
	Time  time.Time // event time, UTC
	Value U
}

// String shows a record; its kind unless it is an insert.
func (r Record[U]) String() string {
	if r.Kind == Insert {
		return fmt.Sprintf("%v at %s", r.Value, r.Time.Format(time.RFC3339Nano))
	}
	return fmt.Sprintf("%v %v at %s", r.Kind, r.Value, r.Time.Format(time.RFC3339Nano))
}

// Output is a sink that remembers.
type Output[U any] struct {
	s    *Script
	rows []row[U]
	open map[*writer[U]]bool // of the running attempt
	seen int                 // rows that Take and Want have shown
}

type row[U any] struct {
	Record[U]
	by *writer[U] // nil: an earlier attempt, and kept
	n  int        // its number among those of by
}

// book is an output with its type rubbed off.
type book interface {
	cut()      // an epoch begins to be cut
	keep()     // it is complete
	truncate() // restored from the newest complete one
}

// Output makes an output.
func (s *Script) Output[U any]() *Output[U] {
	o := &Output[U]{s: s, open: map[*writer[U]]bool{}}
	s.outputs = append(s.outputs, o)
	return o
}

// Records is all that came out so far, each task's in its order.
func (o *Output[U]) Records() []Record[U] {
	all := make([]Record[U], len(o.rows))
	for i := range o.rows {
		all[i] = o.rows[i].Record
	}
	return all
}

// Values is the values of Records.
func (o *Output[U]) Values() []U { return values(o.Records()) }

// Take is what came out since the last Take or Want.
func (o *Output[U]) Take() []Record[U] {
	fresh := o.Records()[o.seen:]
	o.seen = len(o.rows)
	return fresh
}

// Want demands that these values came out since the last Take or Want, as inserts, in any order: what one action made in several
// tasks has none.
func (o *Output[U]) Want(want ...U) {
	o.s.t.Helper()
	o.want(false, inserts(want))
}

// WantInOrder is Want for values that one task makes.
func (o *Output[U]) WantInOrder(want ...U) {
	o.s.t.Helper()
	o.want(true, inserts(want))
}

func inserts[U any](vs []U) (rs []Record[U]) {
	for _, v := range vs {
		rs = append(rs, Record[U]{Value: v})
	}
	return rs
}

// WantRecords demands that these came out since the last Take or Want, in any order. A zero Time is any.
func (o *Output[U]) WantRecords(want ...Record[U]) {
	o.s.t.Helper()
	o.want(false, want)
}

func (o *Output[U]) want(ordered bool, want []Record[U]) {
	o.s.t.Helper()
	got := o.Take()
	match := func(g, w Record[U]) bool {
		return g.Kind == w.Kind && (w.Time.IsZero() || g.Time.Equal(w.Time)) && same(g.Value, w.Value)
	}
	if !equal(got, want, ordered, match) {
		o.s.t.Errorf("came out:\n%swant%s:\n%s", lines(got), map[bool]string{true: ", in this order"}[ordered], lines(want))
	}
}

// Rows is a table as a reader of its changes has it: the newest value of each key that was not deleted.
func Rows[K comparable, V any](o *Output[millrace.Pair[K, V]]) map[K]V {
	rows := map[K]V{}
	for _, r := range o.rows {
		switch r.Kind {
		case Insert, UpdateAfter:
			rows[r.Value.Key] = r.Value.Value
		case Delete:
			delete(rows, r.Value.Key)
		case UpdateBefore: // its UpdateAfter follows
		}
	}
	return rows
}

// Open implements sinks.Sink.
func (o *Output[U]) Open(context.Context, sinks.Instance) (sinks.Writer[U], error) {
	w := &writer[U]{to: o}
	o.open[w] = true
	return w, nil
}

func (o *Output[U]) cut() {
	for w := range o.open {
		w.flushed = false
	}
}

func (o *Output[U]) keep() {
	for w := range o.open {
		w.kept = w.mark
	}
}

func (o *Output[U]) truncate() {
	left := o.rows[:0]
	for _, r := range o.rows {
		if r.by == nil || r.n < r.by.kept {
			r.by = nil
			left = append(left, r)
		}
	}
	clear(o.rows[len(left):])
	o.rows = left
	clear(o.open)
}

// writer writes one task's output.
type writer[U any] struct {
	to      *Output[U]
	n       int  // written
	mark    int  // written before the barrier of the epoch being cut
	kept    int  // written before that of the newest complete epoch
	flushed bool // mark is set
}

// Inline implements sinks.Inline.
func (w *writer[U]) Inline() {}

// Write implements sinks.Writer.
func (w *writer[U]) Write(_ context.Context, b *flow.Batch[U]) error {
	for i := range b.Records {
		r := &b.Records[i]
		w.to.rows = append(w.to.rows, row[U]{Record[U]{b.KindOf(i), time.Unix(0, r.TimeNS).UTC(), r.Value}, w, w.n})
		w.n++
	}
	return nil
}

// Flush implements sinks.Writer. The first one after a cut began is its barrier's, or comes at the end, behind which nothing is
// written.
func (w *writer[U]) Flush(context.Context) error {
	if !w.flushed {
		w.mark, w.flushed = w.n, true
	}
	return nil
}

// Close implements sinks.Writer.
func (w *writer[U]) Close() error { return nil }
