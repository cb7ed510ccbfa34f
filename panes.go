package millrace

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Windowed is a keyed stream divided into windows. Like KeyBy it makes no step: the aggregation behind it does.
type Windowed[K comparable, T any] struct {
	k      Keyed[K, T]
	w      windows
	firing Firing
	late   string
}

// Firing says when windows emit besides the end of their time, to who reads changes: sinks in update or complete mode, and
// [Panes.Changes]. The zero Firing is a change with every record. Readers of final panes get each once, whatever is set here.
type Firing = operators.Firing

// Window divides the records of each key into windows by their event time, so the stream needs one: see [Stream.EventTime]. A window
// closes when the watermark reaches its end; a record that belongs to closed windows only is late: it is counted and dropped, unless
// the windows have a grace or LateTo says where it goes.
//
// W has no meaning of its own: with a type parameter only streams that are divided into windows cost the compiler anything.
func (k Keyed[K, T]) Window[W Windows](w W) Windowed[K, T] {
	if any(w) == nil {
		return Windowed[K, T]{k: k, w: windows{err: errors.New("windows are nil")}}
	}
	return Windowed[K, T]{k: k, w: w.windows()}
}

// Firing makes windows emit at other times than the end of theirs.
func (w Windowed[K, T]) Firing(f Firing) Windowed[K, T] {
	w.firing = f
	return w
}

// LateTo sends late records to the side output tag of the aggregation, read by [Panes.Side], instead of counting them.
func (w Windowed[K, T]) LateTo(tag Tag[T]) Windowed[K, T] {
	w.late = tag.Name()
	return w
}

// Panes is the changing result of windows: one value for each key and window.
type Panes[K comparable, V any] struct {
	job *Job
	out *port[Pane[K, V]]
}

// Pane is a row of it.
type Pane[K comparable, V any] = operators.Pane[K, V]

// panes enters a window aggregation.
func panes[K comparable, T, A, V any](w Windowed[K, T], made, kind, id string, isNil bool, a operators.Aggregator[T, A, V]) Panes[K, V] {
	j := w.k.s.job
	w.k.s.need(id, isNil)
	st := w.k.keyed(made, "window-"+kind, id, typeName[Pane[K, V]]())
	st.Updates, st.Waits, st.untimed, st.Config = true, w.w.records == 0, w.w.global, w.w.text
	st.sides = map[string]*sideOutput{}
	if err := w.wrong(); err != nil {
		j.fault(fmt.Errorf("operator %q: %w", id, err))
	}
	out := newPort[Pane[K, V]](st)
	read(w.k.s.out, st, plan.Hash, w.k.spread(), func(tb *taskBuild) func(T) {
		c := operators.WindowConfig{
			Grace: w.w.grace, Firing: w.firing,
			Finals: st.demand.has(wantFinal), Changes: st.demand.has(wantChanges), Before: st.demand.has(wantBefore), All: st.demand.has(wantAll),
		}
		var late func(T)
		if side := st.sides[w.late]; side != nil {
			late, _ = side.compile(tb).(func(T))
		}
		f, err := w.operator(tb.task.Env, id, c, a, late, out.sink(tb))
		return built(tb, id, f, err)
	})
	return Panes[K, V]{j, out}
}

// wrong says what cannot be.
func (w Windowed[K, T]) wrong() error {
	switch f := w.firing; {
	case w.w.err != nil:
		return w.w.err
	case f.Every < 0:
		return fmt.Errorf("Firing.Every is %v, want at least 0", f.Every)
	case f.Records < 0:
		return fmt.Errorf("Firing.Records is %d, want at least 0", f.Records)
	case f.FinalOnly && (f.EveryRecord || f.Every > 0 || f.Records > 0):
		return fmt.Errorf("Firing.FinalOnly together with a firing before the end; leave one out")
	}
	return nil
}

// operator compiles it for a task.
func (w Windowed[K, T]) operator[A, V any](
	e *operators.Env, id string, c operators.WindowConfig, a operators.Aggregator[T, A, V], late func(T), next func(Pane[K, V]),
) (func(T), error) {
	switch {
	case w.w.gap > 0:
		return operators.NewSessions(e, id, int64(w.w.gap), c, w.k.key, a, late, next)
	case w.w.records > 0:
		return operators.NewCounts(e, id, int64(w.w.records), int64(w.w.every), c, w.k.key, a, next)
	}
	return operators.NewAligned(e, id, w.w.grid, c, w.k.key, a, late, next)
}

// Count counts the records of each pane.
func (w Windowed[K, T]) Count(id string) Panes[K, int64] {
	return panes(w, "Count", "count", id, false, operators.CountRecords[T]())
}

// Sum adds f of the records of each pane.
func (w Windowed[K, T]) Sum[N Number](id string, f func(T) N) Panes[K, N] {
	return panes(w, "Sum", "sum", id, f == nil, operators.SumOf(f))
}

// Min is the smallest f of the records of each pane, NaN if there is one.
func (w Windowed[K, T]) Min[N cmp.Ordered](id string, f func(T) N) Panes[K, N] {
	return panes(w, "Min", "min", id, f == nil, operators.MinOf(f))
}

// Max is the largest f of the records of each pane, NaN if there is one.
func (w Windowed[K, T]) Max[N cmp.Ordered](id string, f func(T) N) Panes[K, N] {
	return panes(w, "Max", "max", id, f == nil, operators.MaxOf(f))
}

// Avg is the mean of f of the records of each pane.
func (w Windowed[K, T]) Avg[N Number](id string, f func(T) N) Panes[K, float64] {
	return panes(w, "Avg", "avg", id, f == nil, operators.MeanOf(f))
}

// CountDistinct counts the different f of the records of each pane. It keeps all of them.
func (w Windowed[K, T]) CountDistinct[D comparable](id string, f func(T) D) Panes[K, int64] {
	return panes(w, "CountDistinct", "count-distinct", id, f == nil, operators.DistinctOf(f))
}

// Collect is f of the records of each pane: in the order they came as long as they came in the order of their times, otherwise in that
// of the slices of time that panes are made of.
func (w Windowed[K, T]) Collect[U any](id string, f func(T) U) Panes[K, []U] {
	return panes(w, "Collect", "collect", id, f == nil, operators.CollectedOf(f))
}

// TopN is the n records of each pane that are less than its others, the least first; of equal ones those that came first.
func (w Windowed[K, T]) TopN[F ~func(a, b T) bool](id string, n int, less F) Panes[K, []T] {
	if n < 1 {
		w.k.s.job.fault(fmt.Errorf("operator %q: top %d, want at least 1", id, n))
		n = 1
	}
	return panes(w, "TopN", "top", id, less == nil, operators.FirstOf(n, less))
}

// Reduce combines the records of each pane, two at a time; the first stands for itself. f is associative: records of a slice of time
// are combined in the order they came, then the slices in their order.
func (w Windowed[K, T]) Reduce[F ~func(a, b T) T](id string, f F) Panes[K, T] {
	return panes(w, "Reduce", "reduce", id, f == nil, operators.ReduceOf(func(v T) T { return v }, f))
}

// Aggregate folds the records of each pane into an A that starts as its zero value. merge joins what add made of an earlier and a
// later part of the records; it must be associative. Neither changes what its arguments point to.
func (w Windowed[K, T]) Aggregate[A any](id string, add func(A, T) A, merge func(a, b A) A) Panes[K, A] {
	return panes(w, "Aggregate", "aggregate", id, add == nil || merge == nil, operators.Folded(add, merge))
}
