package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
)

// Stream is a sequence of records of type T: a small copyable handle on an operator's output. Any number of operators may
// read it. Records are immutable once emitted.
type Stream[T any] struct {
	job *Job
	out *port[T]
}

// derive enters a step that reads s and gives a stream of U. into makes its closure in a task, given the next step's.
func derive[T, U any](s Stream[T], made, kind, id string, p plan.Step, ship plan.Ship, into func(tb *taskBuild, next func(U)) func(T)) Stream[U] {
	p.Kind, p.Type = kind, typeName[U]()
	st := s.job.add(made, id, p)
	out := newPort[U](st)
	read(s.out, st, ship, nil, func(tb *taskBuild) func(T) { return into(tb, out.sink(tb)) })
	return Stream[U]{s.job, out}
}

func (s Stream[T]) need(id string, isNil bool) {
	if isNil {
		s.job.fault(fmt.Errorf("operator %q: func is nil", id))
	}
}

// Map emits f of each record. f is pure.
func (s Stream[T]) Map[U any](id string, f func(T) U) Stream[U] {
	s.need(id, f == nil)
	return derive(s, "Map", "map", id, plan.Step{}, plan.Forward, func(_ *taskBuild, next func(U)) func(T) {
		return operators.Map(f, next)
	})
}

// Filter passes the records for which keep is true. keep is pure.
func (s Stream[T]) Filter(id string, keep func(T) bool) Stream[T] {
	s.need(id, keep == nil)
	return derive(s, "Filter", "filter", id, plan.Step{}, plan.Forward, func(tb *taskBuild, next func(T)) func(T) {
		return operators.Filter(tb.task.Env, keep, next)
	})
}

// FlatMap gives f each record and a function that emits: none, one or many, in order, with the record's event time.
func (s Stream[T]) FlatMap[U any](id string, f func(v T, emit func(U))) Stream[U] {
	s.need(id, f == nil)
	return derive(s, "FlatMap", "flat-map", id, plan.Step{}, plan.Forward, func(_ *taskBuild, next func(U)) func(T) {
		return operators.FlatMap(f, next)
	})
}

// Union merges streams: each keeps its own order, the watermark is the minimum of all.
func (s Stream[T]) Union(id string, others ...Stream[T]) Stream[T] {
	st := s.job.add("Union", id, plan.Step{Kind: "union", Type: typeName[T]()})
	out := newPort[T](st)
	for _, in := range append([]Stream[T]{s}, others...) {
		if in.job != s.job {
			s.job.fault(fmt.Errorf("operator %q: a stream of another job", id))
			continue
		}
		read(in.out, st, plan.Forward, nil, out.sink)
	}
	return Stream[T]{s.job, out}
}

// Repartition deals the records round to n tasks. Order holds within a pair of tasks only.
func (s Stream[T]) Repartition(id string, n int) Stream[T] {
	if n < 1 {
		s.job.fault(fmt.Errorf("operator %q: repartition to %d tasks, want at least 1", id, n))
		n = 1
	}
	return derive(s, "Repartition", "repartition", id, plan.Step{Tasks: n}, plan.Round, same[T])
}

// RepartitionBy spreads the records to n tasks by key: records of one key keep their order.
func (s Stream[T]) RepartitionBy[K comparable](id string, n int, key func(T) K) Stream[T] {
	s.need(id, key == nil)
	if n < 1 {
		s.job.fault(fmt.Errorf("operator %q: repartition to %d tasks, want at least 1", id, n))
		n = 1
	}
	k := s.KeyBy(key)
	st := k.keyed("RepartitionBy", "repartition", id, typeName[T]())
	st.Tasks = n
	out := newPort[T](st)
	read(s.out, st, plan.Hash, k.spread(), out.sink)
	return Stream[T]{s.job, out}
}

// Rebalance deals the records round to the default number of tasks, to spread a skewed load.
func (s Stream[T]) Rebalance(id string) Stream[T] {
	return derive(s, "Rebalance", "rebalance", id, plan.Step{}, plan.Round, same[T])
}

// Broadcast sends every record to every task of what reads the result.
func (s Stream[T]) Broadcast(id string) Stream[T] {
	return derive(s, "Broadcast", "broadcast", id, plan.Step{}, plan.All, same[T])
}

func same[T any](_ *taskBuild, next func(T)) func(T) { return next }

// Side is the side output tag of the processor that made this stream.
func (s Stream[T]) Side[U any](tag Tag[U]) Stream[U] { return side(s.job, s.out.step, tag) }

// To writes the stream to a sink. A stream only appends, so there is no mode to choose: under update it would be the same records,
// and a complete table it is not. See Table.To for results that change.
func (s Stream[T]) To(id string, sink sinks.Sink[T]) {
	st := s.job.add("To", id, plan.Step{Kind: "sink", Type: typeName[T](), Sink: true})
	toSink(s.out, st, sink, Append, nil)
}
