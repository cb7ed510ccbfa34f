package millrace

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
)

// onPanes enters a step that reads p's panes and gives records of U.
func onPanes[K comparable, V, U any](p Panes[K, V], made, kind, id string, isNil bool, s plan.Step, into func(*taskBuild, *step, func(U)) func(Pane[K, V])) *port[U] {
	if isNil {
		p.job.fault(fmt.Errorf("operator %q: func is nil", id))
	}
	s.Kind, s.Type = kind, typeName[U]()
	st := p.job.add(made, id, s)
	st.passes = s.Updates
	out := newPort[U](st)
	read(p.out, st, plan.Forward, nil, func(tb *taskBuild) func(Pane[K, V]) { return into(tb, st, out.sink(tb)) })
	return out
}

// MapValues replaces each pane's value by f of the pane.
func (p Panes[K, V]) MapValues[U any](id string, f func(Pane[K, V]) U) Panes[K, U] {
	return Panes[K, U]{p.job, onPanes(p, "MapValues", "map-values", id, f == nil, plan.Step{Updates: true}, func(_ *taskBuild, _ *step, next func(Pane[K, U])) func(Pane[K, V]) {
		return operators.MapPanes(f, next)
	})}
}

// Filter keeps the panes for which keep is true. A pane that was kept and no longer is, is deleted.
func (p Panes[K, V]) Filter(id string, keep func(Pane[K, V]) bool) Panes[K, V] {
	return Panes[K, V]{p.job, onPanes(p, "Filter", "filter", id, keep == nil, plan.Step{Updates: true}, func(tb *taskBuild, st *step, next func(Pane[K, V])) func(Pane[K, V]) {
		if st.demand.has(wantBefore) {
			return operators.FilterBefore(tb.task.Env, Pane[K, V].Row, keep, next)
		}
		if st.demand.has(wantChanges) {
			return operators.FilterPanes(tb.task.Env, keep, next)
		}
		return operators.Filter(tb.task.Env, keep, next)
	})}
}

// Stream leaves the world of updates: f of each pane becomes a record, once, when the pane is final: at its end and grace. The
// record's event time is the last nanosecond of the pane.
func (p Panes[K, V]) Stream[U any](id string, f func(Pane[K, V]) U) Stream[U] {
	out := onPanes(p, "Stream", "stream", id, f == nil, plan.Step{}, func(tb *taskBuild, _ *step, next func(U)) func(Pane[K, V]) {
		return finals(tb, p.out.step.demand, operators.Map(f, next))
	})
	out.step.asks = wantFinal
	return Stream[U]{p.job, out}
}

// Changes leaves the world of updates: f of each change of a pane becomes a record, as Firing says; deletions are dropped.
func (p Panes[K, V]) Changes[U any](id string, f func(Pane[K, V]) U) Stream[U] {
	out := onPanes(p, "Changes", "changes", id, f == nil, plan.Step{}, func(tb *taskBuild, _ *step, next func(U)) func(Pane[K, V]) {
		return changes(tb, p.out.step.demand, operators.PaneChanges(tb.task.Env, f, next))
	})
	out.step.asks = wantChanges
	return Stream[U]{p.job, out}
}

// Side is the side output tag of the window operator: the late records that LateTo sends there.
func (p Panes[K, V]) Side[U any](tag Tag[U]) Stream[U] { return side(p.job, p.out.step, tag) }

// To writes the panes to a sink under an output mode. Append writes each once, when it is final. Update writes each change, or what
// Firing says; a row is told by its key and its start, and comes as a deletion when a session was swallowed by another. Complete writes all panes
// there ever were.
func (p Panes[K, V]) To(id string, sink sinks.Sink[Pane[K, V]], m Mode) {
	r := result[Pane[K, V], operators.PaneRow[K]]{job: p.job, out: p.out, row: Pane[K, V].Row}
	if p.out.step.origin().untimed {
		r.noAppend = errors.New("whose windows do not close; use millrace.Update, or Stream for a bounded input")
	}
	r.to(id, sink, m)
}
