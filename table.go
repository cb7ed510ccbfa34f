package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
)

// Table is a changing result: one value per key. Each change is a record that replaces the key's row, or a deletion.
type Table[K comparable, V any] struct {
	job *Job
	out *port[Pair[K, V]]
}

// Mode says what of a changing result a sink gets.
type Mode uint8

const (
	// Append writes a row once, when it is final.
	Append Mode = iota + 1
	// Update writes each change of a row; a withdrawn row is a record of kind delete.
	Update
)

// String gives the mode's name.
func (m Mode) String() string {
	switch m {
	case Append:
		return "append"
	case Update:
		return "update"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

func (t Table[K, V]) asStream() Stream[Pair[K, V]] { return Stream[Pair[K, V]]{t.job, t.out} }

func deriveTable[K comparable, V, U any](t Table[K, V], made, kind, id string, isNil bool, into func(*taskBuild, func(Pair[K, U])) func(Pair[K, V])) Table[K, U] {
	s := t.asStream()
	s.need(id, isNil)
	return Table[K, U]{t.job, derive(s, made, kind, id, plan.Step{Updates: true, Rows: t.out.step.Rows}, plan.Forward, into).out}
}

// MapValues replaces each row's value by f of key and value.
func (t Table[K, V]) MapValues[U any](id string, f func(K, V) U) Table[K, U] {
	return deriveTable(t, "MapValues", "map-values", id, f == nil, func(_ *taskBuild, next func(Pair[K, U])) func(Pair[K, V]) {
		return operators.MapValues(f, next)
	})
}

// Filter keeps the rows for which keep is true. A row that was kept and no longer is, is deleted.
func (t Table[K, V]) Filter(id string, keep func(K, V) bool) Table[K, V] {
	return deriveTable(t, "Filter", "filter", id, keep == nil, func(tb *taskBuild, next func(Pair[K, V])) func(Pair[K, V]) {
		return operators.FilterRows(tb.task.Env, keep, next)
	})
}

// Stream leaves the world of updates: f of each change becomes a record; deletions are dropped.
func (t Table[K, V]) Stream[U any](id string, f func(K, V) U) Stream[U] {
	s := t.asStream()
	s.need(id, f == nil)
	return derive(s, "Stream", "stream", id, plan.Step{}, plan.Forward, func(tb *taskBuild, next func(U)) func(Pair[K, V]) {
		return operators.Rows(tb.task.Env, f, next)
	})
}

// Final emits each key's last row once, when the input has truly ended: the result of a bounded job. A job that is stopped
// before emits nothing and goes on when it is started again.
func (t Table[K, V]) Final(id string) Stream[Pair[K, V]] {
	st := t.job.add("Final", id, plan.Step{Kind: "final", Type: typeName[Pair[K, V]](), Keyed: true})
	out := newPort[Pair[K, V]](st)
	key, err := codec.KeyOf[K]()
	if err != nil {
		t.job.fault(fmt.Errorf("operator %q: key: %w", id, err))
		return Stream[Pair[K, V]]{t.job, out}
	}
	st.Key, st.Rows = key.Schema(), key.Schema()
	hash := func(p Pair[K, V]) uint64 { return key.Hash(p.Key) }
	of := t.out.step
	read(t.out, st, plan.Hash, hash, func(tb *taskBuild) func(Pair[K, V]) {
		if of.standing && tb.d.plan.Fused(of.ID, id) {
			return operators.NewScan(tb.task.Env, of.ID, key.Hash, out.sink(tb))
		}
		f, err := operators.NewLatest(tb.task.Env, id, key.Hash, out.sink(tb))
		return built(tb, id, f, err)
	})
	return Stream[Pair[K, V]]{t.job, out}
}

// To writes the result to a sink under an output mode. Append of an aggregation is refused: without a watermark no row is
// ever final.
func (t Table[K, V]) To(id string, sink sinks.Sink[Pair[K, V]], m Mode) {
	st := t.job.add("To", id, plan.Step{Kind: "sink", Type: typeName[Pair[K, V]](), Sink: true, Config: m.String()})
	switch m {
	case Update:
	case Append:
		t.job.fault(fmt.Errorf("operator %q: append of %q, whose rows change and are never final; use millrace.Update, or Final for a bounded input", id, t.out.step.ID))
	default:
		t.job.fault(fmt.Errorf("operator %q: output %s, want millrace.Append or millrace.Update", id, m))
	}
	read(t.out, st, plan.Forward, nil, sinkInto(st, sink))
}
