package millrace

import (
	"errors"
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

// A Table never becomes a Stream[Pair[K, V]]: Reduce would make a Table of it again, and the compiler would not come to an
// end with such a pair of types. So what leaves the table is made by a function of the user's.

// change enters a step that reads t's changes and gives records of U. into makes its closure in a task.
func change[K comparable, V, U any](t Table[K, V], made, kind, id string, isNil bool, p plan.Step, into func(*taskBuild, func(U)) func(Pair[K, V])) *port[U] {
	if isNil {
		t.job.fault(fmt.Errorf("operator %q: func is nil", id))
	}
	p.Kind, p.Type = kind, typeName[U]()
	st := t.job.add(made, id, p)
	st.passes = p.Updates
	st.asks = wantChanges
	out := newPort[U](st)
	read(t.out, st, plan.Forward, nil, func(tb *taskBuild) func(Pair[K, V]) { return into(tb, out.sink(tb)) })
	return out
}

func (t Table[K, V]) rows() plan.Step { return plan.Step{Updates: true, Rows: t.out.step.Rows} }

// Side is the side output tag of the processor that made this table.
func (t Table[K, V]) Side[U any](tag Tag[U]) Stream[U] { return side(t.job, t.out.step, tag) }

// MapValues replaces each row's value by f of key and value.
func (t Table[K, V]) MapValues[U any](id string, f func(K, V) U) Table[K, U] {
	return Table[K, U]{t.job, change(t, "MapValues", "map-values", id, f == nil, t.rows(), func(_ *taskBuild, next func(Pair[K, U])) func(Pair[K, V]) {
		return operators.MapValues(f, next)
	})}
}

// Filter keeps the rows for which keep is true. A row that was kept and no longer is, is deleted.
func (t Table[K, V]) Filter(id string, keep func(K, V) bool) Table[K, V] {
	return Table[K, V]{t.job, change(t, "Filter", "filter", id, keep == nil, t.rows(), func(tb *taskBuild, next func(Pair[K, V])) func(Pair[K, V]) {
		if tb.before(id) {
			return operators.FilterBefore(tb.task.Env, func(p Pair[K, V]) K { return p.Key }, func(p Pair[K, V]) bool { return keep(p.Key, p.Value) }, next)
		}
		return operators.FilterRows(tb.task.Env, keep, next)
	})}
}

// Stream leaves the world of updates: f of each change becomes a record; deletions are dropped.
func (t Table[K, V]) Stream[U any](id string, f func(K, V) U) Stream[U] {
	return Stream[U]{t.job, change(t, "Stream", "stream", id, f == nil, plan.Step{}, func(tb *taskBuild, next func(U)) func(Pair[K, V]) {
		return operators.Rows(tb.task.Env, f, next)
	})}
}

// Final emits f of each key's last row, once, when the input has truly ended: the result of a bounded job. A job that is
// stopped before emits nothing and goes on when it is started again.
func (t Table[K, V]) Final[U any](id string, f func(K, V) U) Stream[U] {
	if f == nil {
		t.job.fault(fmt.Errorf("operator %q: func is nil", id))
	}
	st := t.job.add("Final", id, plan.Step{Kind: finalKind, Type: typeName[U](), Keyed: true})
	out := newPort[U](st)
	key, err := codec.KeyOf[K]()
	if err != nil {
		t.job.fault(fmt.Errorf("operator %q: key: %w", id, err))
		return Stream[U]{t.job, out}
	}
	st.Key = key.Schema()
	st.asks = wantChanges
	of := t.out.step
	rowKey := func(p Pair[K, V]) K { return p.Key }
	read(t.out, st, plan.Hash, byKey(rowKey, key.Hash), func(tb *taskBuild) func(Pair[K, V]) {
		if st.rewritten {
			tb.task.Env.EmitAgain(id)
		}
		next := operators.Rows(tb.task.Env, f, out.sink(tb))
		if of.standing && tb.d.plan.Fused(of.ID, id) {
			return operators.NewScan(tb.task.Env, id, of.ID, key.Hash, next)
		}
		step, err := operators.NewLatest(tb.task.Env, id, key.Hash, next)
		return built(tb, id, step, err)
	})
	return Stream[U]{t.job, out}
}

// To writes the result to a sink under an output mode: Update or Complete. Append is refused: without a watermark no row is ever
// final. So is Complete of a processor's rows.
func (t Table[K, V]) To(id string, sink sinks.Sink[Pair[K, V]], m Mode) {
	r := result[Pair[K, V], K]{job: t.job, out: t.out, row: func(p Pair[K, V]) K { return p.Key }}
	switch t.out.step.origin().nature {
	case processed:
		r.noAppend = errors.New("a processor whose rows change; use millrace.Update, or Process for records that are final")
		r.noComplete = errors.New("a processor, which says itself what becomes of a row; use millrace.Update, or an aggregation behind GroupBy")
	case regrouped:
		r.noAppend = errors.New("an aggregation over rows that change, whose own are never final; use millrace.Update or millrace.Complete, or Final for a bounded input")
	default:
		r.noAppend = errors.New("whose rows change and are never final; use millrace.Update or millrace.Complete, a window with a watermark, or Final for a bounded input")
	}
	r.to(id, sink, m)
}
