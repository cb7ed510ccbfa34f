package runner

import (
	"cmp"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Latest is a sink that shows the newest records live, with how long each took from its time to here. columns are the heads;
// cells makes a record's row.
func (o *Options) Latest[T any](columns []string, cells func(T) []string) sinks.Sink[T] {
	v := &latestView[T]{columns: append(slices.Clip(columns), "latency"), timed: true, cells: cells}
	v.live = newLive[T](o.quiet, newLatest[T])
	o.views = append(o.views, v)
	return v
}

// Newest is Latest for records whose event time says nothing about how long they took: there is no latency.
func (o *Options) Newest[T any](columns []string, cells func(T) []string) sinks.Sink[T] {
	v := &latestView[T]{columns: columns, cells: cells}
	v.live = newLive[T](o.quiet, func() *latest[T] { return &latest[T]{meter: meter{untimed: true, latency: newHistogram()}} })
	o.views = append(o.views, v)
	return v
}

type latestView[T any] struct {
	*live[T, *latest[T]]
	columns []string
	timed   bool // shows latencies
	cells   func(T) []string
}

// table has the newest record last.
func (v *latestView[T]) table(rows int) table {
	var all []arrival[T]
	v.each(func(w *latest[T]) { all = w.appendTo(all) })
	slices.SortStableFunc(all, func(a, b arrival[T]) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	t := table{columns: v.columns, right: make([]bool, len(v.columns))}
	for _, r := range all[max(0, len(all)-rows):] {
		row := v.cells(r.Value)
		if v.timed {
			row = append(row, latencyText(time.Duration(max(r.atNS-r.TimeNS, 0))))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// latestKeep is how many records a task keeps.
const latestKeep = 32

// arrival is a record and when it came.
type arrival[T any] struct {
	flow.Record[T]
	atNS int64
}

// latest is a ring of a task's newest records.
type latest[T any] struct {
	meter
	ring [latestKeep]arrival[T]
	n    int // records taken
}

func newLatest[T any]() *latest[T] { return &latest[T]{meter: meter{latency: newHistogram()}} }

func (l *latest[T]) meterOf() *meter { return &l.meter }

func (l *latest[T]) take(b *flow.Batch[T], nowNS int64) {
	for _, r := range b.Records[max(0, len(b.Records)-latestKeep):] {
		l.ring[l.n%latestKeep] = arrival[T]{r, nowNS}
		l.n++
	}
}

func (l *latest[T]) appendTo(all []arrival[T]) []arrival[T] {
	for i := max(0, l.n-latestKeep); i < l.n; i++ {
		all = append(all, l.ring[i%latestKeep])
	}
	return all
}
