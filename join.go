package millrace

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Within bounds a join in time; see Keyed.Join.
type Within = operators.Within

// The names of the side outputs by which late records leave an operator on event time, if somebody reads them:
//
//	late := NewTag[Order](millrace.Late)
//	unique.Side(late).To(…)
//
// Otherwise they are counted and dropped.
const (
	Late      = operators.LateSide  // of an operator with one input
	LateLeft  = operators.LateLeft  // of one with two inputs: from the stream whose method was called
	LateRight = operators.LateRight // from the other
)

// Process2 is Process with two inputs: one task handles the records of a key on both, with one state and the same timers. Each
// input keeps its order, and which of them comes first is not determined. The watermark is the earlier of the two.
func (k Keyed[K, T]) Process2[T2, U any](id string, right Keyed[K, T2], setup func(*Setup[K, U]) (Handler[K, T, U], Handler[K, T2, U])) Stream[U] {
	var first func(*Setup[K, U]) Handler[K, T, U]
	if setup != nil {
		first = func(s *Setup[K, U]) Handler[K, T, U] { f, _ := setup(s); return f }
	}
	waits := needsEventTime(k.s.job, id, first)
	return two(k, right, "Process2", "process2", id, waits, func(tb *taskBuild, sides map[string]any, next func(U)) (in inputs[T, T2], err error) {
		in.left, in.right, err = operators.Process2(tb.task.Env, id, k.key, right.key, setup, sides, next)
		return in, err
	})
}

// Join joins each record with those of right that have its key and an event time from w.Before before its own to w.After after
// it, both inclusive: f makes the result of each pair. Records are kept until the watermark says that none can come that they
// would meet. A result has the event time of the later record. Both streams need a watermark.
func (k Keyed[K, T]) Join[T2, R any](id string, right Keyed[K, T2], w Within, f func(T, T2) R) Stream[R] {
	k.s.need(id, f == nil)
	return interval(k, right, "Join", id, operators.InnerJoin, w, func(l T, _ bool, r T2, _ bool) R { return f(l, r) })
}

// LeftJoin is Join that also gives f each record of the stream that met none, with false, when the watermark has passed the last
// time at which one could have come. That time is the result's.
func (k Keyed[K, T]) LeftJoin[T2, R any](id string, right Keyed[K, T2], w Within, f func(left T, right T2, hasRight bool) R) Stream[R] {
	k.s.need(id, f == nil)
	return interval(k, right, "LeftJoin", id, operators.LeftJoin, w, func(l T, _ bool, r T2, has bool) R { return f(l, r, has) })
}

// RightJoin is Join that also gives f each record of right that met none, as LeftJoin does with those of the stream.
func (k Keyed[K, T]) RightJoin[T2, R any](id string, right Keyed[K, T2], w Within, f func(left T, hasLeft bool, right T2) R) Stream[R] {
	k.s.need(id, f == nil)
	return interval(k, right, "RightJoin", id, operators.RightJoin, w, func(l T, has bool, r T2, _ bool) R { return f(l, has, r) })
}

// FullJoin is LeftJoin and RightJoin in one: f gets every pair, and every record that met none.
func (k Keyed[K, T]) FullJoin[T2, R any](id string, right Keyed[K, T2], w Within, f func(left T, hasLeft bool, right T2, hasRight bool) R) Stream[R] {
	k.s.need(id, f == nil)
	return interval(k, right, "FullJoin", id, operators.FullJoin, w, f)
}

// SemiJoin passes each record that Join would join with any of right: once, at the first match. The others are filtered.
func (k Keyed[K, T]) SemiJoin[T2 any](id string, right Keyed[K, T2], w Within) Stream[T] {
	return interval(k, right, "SemiJoin", id, operators.SemiJoin, w, func(l T, _ bool, _ T2, _ bool) T { return l })
}

// AntiJoin passes each record that Join would join with none of right, when the watermark says so, at the event time of LeftJoin.
// The others are filtered.
func (k Keyed[K, T]) AntiJoin[T2 any](id string, right Keyed[K, T2], w Within) Stream[T] {
	return interval(k, right, "AntiJoin", id, operators.AntiJoin, w, func(l T, _ bool, _ T2, _ bool) T { return l })
}

// JoinAll joins each record with all of right that have its key, whatever their event times: f makes the result of each pair.
// Records of both are kept for ttl of processing time after they came, state.Forever for good. It needs no watermark. There are no
// outer kinds of it: without a bound in time nothing ever proves that no match will come.
func (k Keyed[K, T]) JoinAll[T2, R any](id string, right Keyed[K, T2], ttl time.Duration, f func(T, T2) R) Stream[R] {
	k.s.need(id, f == nil)
	if ttl < 0 {
		k.s.job.fault(fmt.Errorf("operator %q: time to live is %v, want at least 0 (state.Forever keeps records)", id, ttl))
	}
	out := two(k, right, "JoinAll", "join-all", id, false, func(tb *taskBuild, _ map[string]any, next func(R)) (in inputs[T, T2], err error) {
		j, err := operators.NewJoinAll(tb.task.Env, id, ttl, k.key, right.key, f, next)
		if err == nil {
			in = inputs[T, T2]{j.Left, j.Right}
		}
		return in, err
	})
	out.out.step.sides = nil // no record is late
	return out
}

// AsOf gives f each record with the version of right that its key had at its time: the one with the greatest event time that is not
// after it, of several the one that came last; false when there was none. A record waits until the watermark has passed it. The
// newest version of each key that the watermark has passed is kept for good.
func (k Keyed[K, T]) AsOf[T2, R any](id string, right Keyed[K, T2], f func(left T, version T2, has bool) R) Stream[R] {
	k.s.need(id, f == nil)
	return two(k, right, "AsOf", "as-of", id, true, func(tb *taskBuild, sides map[string]any, next func(R)) (in inputs[T, T2], err error) {
		j, err := operators.NewAsOf(tb.task.Env, id, k.key, right.key, f, sides, next)
		if err == nil {
			in = inputs[T, T2]{j.Left, j.Right}
		}
		return in, err
	})
}

func interval[K comparable, T, T2, R any](k Keyed[K, T], right Keyed[K, T2], made, id string, kind operators.JoinKind, w Within, match operators.Match[T, T2, R]) Stream[R] {
	if w.Before < -w.After {
		k.s.job.fault(fmt.Errorf("operator %q: Within{Before: %v, After: %v} holds no time; want Before + After at least 0", id, w.Before, w.After))
	}
	return two(k, right, made, kebab(made), id, true, func(tb *taskBuild, sides map[string]any, next func(R)) (in inputs[T, T2], err error) {
		j, err := operators.NewJoin(tb.task.Env, id, kind, w, k.key, right.key, match, sides, next)
		if err == nil {
			in = inputs[T, T2]{j.Left, j.Right}
		}
		return in, err
	})
}

// kebab is a join's method as a kind of step.
func kebab(made string) string {
	if made == "Join" {
		return "inner-join"
	}
	return map[string]string{"LeftJoin": "left-join", "RightJoin": "right-join", "FullJoin": "full-join", "SemiJoin": "semi-join", "AntiJoin": "anti-join"}[made]
}

// inputs are the two steps of an operator of two inputs.
type inputs[T, T2 any] struct {
	left  func(T)
	right func(T2)
}

// two enters a keyed step that reads two streams by the same kind of key. create makes it in a task, once for both.
func two[K comparable, T, T2, R any](k Keyed[K, T], right Keyed[K, T2], made, kind, id string, waits bool, create func(*taskBuild, map[string]any, func(R)) (inputs[T, T2], error)) Stream[R] {
	st := k.processor(made, kind, id, typeName[R]())
	st.Waits = waits
	out := newPort[R](st)
	if right.s.job != k.s.job {
		k.s.job.fault(fmt.Errorf("operator %q: a stream of another job", id))
		return Stream[R]{k.s.job, out}
	}
	right.s.need(id, right.key == nil)
	once := func(tb *taskBuild) inputs[T, T2] {
		if in, ok := tb.memo[st].(inputs[T, T2]); ok {
			return in
		}
		in, err := create(tb, st.compileSides(tb), out.sink(tb))
		if err != nil {
			tb.d.fault(fmt.Errorf("operator %q: %w", id, err))
			in = inputs[T, T2]{func(T) {}, func(T2) {}}
		}
		tb.memo[st] = in
		return in
	}
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) { return once(tb).left })
	read(right.s.out, st, plan.Hash, right.spread(), func(tb *taskBuild) func(T2) { return once(tb).right })
	return Stream[R]{k.s.job, out}
}
