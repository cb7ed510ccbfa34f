package runner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Top is a sink that shows the rows with the highest values live. keyName and valueName head the columns; show makes a key's
// text. It keeps a few rows a task, whatever the number of keys: exact while values grow, as counts do. Of a job that goes
// on from a checkpoint it shows the rows that changed since.
func (o *Options) Top[K comparable](keyName, valueName string, show func(K) string) sinks.Sink[millrace.Pair[K, int64]] {
	t := &topView[K]{keyName: keyName, valueName: valueName, show: show}
	t.live = newLive[millrace.Pair[K, int64]](o.quiet, newTop[K])
	o.views = append(o.views, t)
	return t
}

type topView[K comparable] struct {
	*live[millrace.Pair[K, int64], *top[K]]
	keyName, valueName string
	show               func(K) string
}

func (v *topView[K]) table(rows int) table {
	var all []millrace.Pair[K, int64]
	v.each(func(w *top[K]) {
		for k, n := range w.rows {
			all = append(all, millrace.Pair[K, int64]{Key: k, Value: *n})
		}
	})
	slices.SortFunc(all, func(a, b millrace.Pair[K, int64]) int {
		return cmp.Or(higher(a, b), cmp.Compare(v.show(a.Key), v.show(b.Key)))
	})
	t := table{columns: []string{v.keyName, v.valueName}, right: []bool{false, true}}
	for _, p := range all[:min(rows, len(all))] {
		t.rows = append(t.rows, []string{v.show(p.Key), number(p.Value)})
	}
	return t
}

// higher orders rows by value, the highest first.
func higher[K comparable](a, b millrace.Pair[K, int64]) int { return cmp.Compare(b.Value, a.Value) }

// topKeep is how many rows a task keeps when it prunes; it lets them double before it does.
const topKeep = 64

// top keeps the rows with the highest values. A row that was dropped had at most the value floor, and comes back with its
// next change above it: so nothing is missed while values only grow.
type top[K comparable] struct {
	meter
	rows  map[K]*int64
	floor int64
}

func newTop[K comparable]() *top[K] {
	return &top[K]{meter: meter{latency: newHistogram()}, rows: make(map[K]*int64, 2*topKeep)}
}

func (t *top[K]) meterOf() *meter { return &t.meter }

func (t *top[K]) take(b *flow.Batch[millrace.Pair[K, int64]], _ int64) {
	for i := range b.Records {
		p := &b.Records[i].Value
		if k := b.KindOf(i); k == flow.Delete || k == flow.UpdateBefore {
			delete(t.rows, p.Key)
			continue
		}
		if p.Value <= t.floor {
			continue
		}
		if n, ok := t.rows[p.Key]; ok {
			*n = p.Value
			continue
		}
		n := p.Value
		t.rows[owned(p.Key)] = &n
		if len(t.rows) == 2*topKeep {
			t.prune()
		}
	}
}

func (t *top[K]) prune() {
	all := make([]millrace.Pair[K, int64], 0, len(t.rows))
	for k, n := range t.rows {
		all = append(all, millrace.Pair[K, int64]{Key: k, Value: *n})
	}
	slices.SortFunc(all, higher)
	for _, p := range all[topKeep:] {
		delete(t.rows, p.Key)
	}
	t.floor = max(t.floor, all[topKeep].Value)
}

// owned is k with text of its own: a word must not keep the chunk of input alive that it was cut from.
func owned[K comparable](k K) K {
	if s, ok := any(&k).(*string); ok {
		*s = strings.Clone(*s)
	}
	return k
}
