package runner

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Changed is a sink that shows the rows of a changing result with the newest event times, as their changes leave them. columns are
// the heads; row tells rows apart; cells makes a row's texts. It keeps a few rows a task, and shows no latency: the event time of a
// result says nothing about how long it took.
func (o *Options) Changed[T any, R comparable](columns []string, row func(T) R, cells func(T) []string) sinks.Sink[T] {
	v := &changedView[T, R]{columns: columns, cells: cells}
	v.live = newLive[T](o.quiet, func() *changed[T, R] {
		return &changed[T, R]{meter: meter{untimed: true, latency: newHistogram()}, row: row, rows: map[R]change[T]{}}
	})
	o.views = append(o.views, v)
	return v
}

type changedView[T any, R comparable] struct {
	*live[T, *changed[T, R]]
	columns []string
	cells   func(T) []string
}

// table has the newest row last.
func (v *changedView[T, R]) table(rows int) table {
	type line struct {
		timeNS int64
		cells  []string
	}
	var all []line
	v.each(func(w *changed[T, R]) {
		for _, r := range w.rows {
			all = append(all, line{r.TimeNS, v.cells(r.Value)})
		}
	})
	slices.SortFunc(all, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.timeNS, b.timeNS), slices.CompareFunc(a.cells, b.cells, strings.Compare))
	})
	t := table{columns: v.columns, right: make([]bool, len(v.columns))}
	for _, l := range all[max(0, len(all)-rows):] {
		t.rows = append(t.rows, l.cells)
	}
	return t
}

// changedKeep is how many rows a task keeps when it prunes; it lets them double before it does.
const changedKeep = 64

// changed keeps the rows with the newest event times.
type changed[T any, R comparable] struct {
	meter
	row  func(T) R
	rows map[R]change[T]
	n    int64 // changes taken
}

// change is the newest one of a row.
type change[T any] struct {
	flow.Record[T]
	n int64
}

func (c *changed[T, R]) meterOf() *meter { return &c.meter }

func (c *changed[T, R]) take(b *flow.Batch[T], _ int64) {
	for i := range b.Records {
		r := b.Records[i]
		if k := b.KindOf(i); k == flow.Delete || k == flow.UpdateBefore {
			delete(c.rows, c.row(r.Value))
			continue
		}
		c.n++
		if c.rows[c.row(r.Value)] = (change[T]{r, c.n}); len(c.rows) == 2*changedKeep {
			c.prune()
		}
	}
}

func (c *changed[T, R]) prune() {
	newest := slices.SortedFunc(maps.Values(c.rows), func(a, b change[T]) int {
		return cmp.Or(cmp.Compare(b.TimeNS, a.TimeNS), cmp.Compare(b.n, a.n))
	})
	clear(c.rows)
	for _, r := range newest[:changedKeep] {
		c.rows[c.row(r.Value)] = r
	}
}
