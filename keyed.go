package millrace

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// Keyed is a stream whose records belong to keys. KeyBy makes no step: the operators behind it do, and they own the state.
type Keyed[K comparable, T any] struct {
	s   Stream[T]
	key func(T) K
}

// KeyBy says which key a record belongs to. Records of one key are processed in order by one task. K is a string, an
// integer, a bool, a byte array, or a struct of these; key runs twice a record, so it should be an accessor.
func (s Stream[T]) KeyBy[K comparable](key func(T) K) Keyed[K, T] {
	return Keyed[K, T]{s, key}
}

// keyed enters a step that owns key groups.
func (k Keyed[K, T]) keyed(made, kind, id, out string) *step {
	k.s.need(id, k.key == nil)
	p := plan.Step{Kind: kind, Type: out, Keyed: true}
	if key, err := codec.KeyOf[K](); err != nil {
		k.s.job.fault(fmt.Errorf("operator %q: key: %w", id, err))
	} else {
		p.Key = key.Schema()
	}
	return k.s.job.add(made, id, p)
}

// spread is how the stream's records get to the owners of their keys. A key type that has no hash was remembered as a fault.
func (k Keyed[K, T]) spread() scatterer[T] {
	c, err := codec.KeyOf[K]()
	if err != nil {
		return nil
	}
	return byKey(k.key, c.Hash)
}

// table enters an aggregation: a keyed step that updates by key.
func table[K comparable, T, V any](k Keyed[K, T], made, id string, into func(*taskBuild, func(Pair[K, V])) (func(T), error)) Table[K, V] {
	st := k.keyed(made, strings.ToLower(made), id, typeName[Pair[K, V]]())
	st.Updates, st.Rows = true, st.Key
	out := newPort[Pair[K, V]](st)
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) {
		f, err := into(tb, out.sink(tb))
		return built(tb, id, f, err)
	})
	return Table[K, V]{k.s.job, out}
}

// standing remembers that an aggregation's rows stand in its state, for Final.
func standing[K comparable, V any](t Table[K, V], ttl time.Duration) Table[K, V] {
	t.out.step.standing, t.out.step.expires = ttl == state.Forever, ttl != state.Forever
	return t
}

// fold compiles an aggregation whose readers may want the values that changes replace.
func fold[K comparable, T, A any](tb *taskBuild, id string, ttl time.Duration, key func(T) K, add func(*A, T, bool), next func(Pair[K, A])) (func(T), error) {
	if tb.before(id) {
		return operators.FoldBefore(tb.task.Env, id, ttl, key, add, next)
	}
	return operators.Fold(tb.task.Env, id, ttl, key, add, next)
}

// Count counts the records of each key. ttl is how long a key that gets no record is remembered; state.Forever keeps it.
func (k Keyed[K, T]) Count(id string, ttl time.Duration) Table[K, int64] {
	return standing(table(k, "Count", id, func(tb *taskBuild, next func(Pair[K, int64])) (func(T), error) {
		if tb.before(id) {
			return operators.FoldBefore(tb.task.Env, id, ttl, k.key, func(n *int64, _ T, _ bool) { *n++ }, next)
		}
		return operators.Count(tb.task.Env, id, ttl, k.key, next)
	}), ttl)
}

// Sum adds f of the records of each key.
func (k Keyed[K, T]) Sum[N Number](id string, ttl time.Duration, f func(T) N) Table[K, N] {
	k.s.need(id, f == nil)
	return standing(table(k, "Sum", id, func(tb *taskBuild, next func(Pair[K, N])) (func(T), error) {
		return fold(tb, id, ttl, k.key, func(sum *N, v T, _ bool) { *sum += f(v) }, next)
	}), ttl)
}

// Number is what Sum can add.
type Number = operators.Number

// Reduce combines the records of each key, two at a time in order; the first stands for itself.
func (k Keyed[K, T]) Reduce(id string, ttl time.Duration, f func(a, b T) T) Table[K, T] {
	k.s.need(id, f == nil)
	return standing(table(k, "Reduce", id, func(tb *taskBuild, next func(Pair[K, T])) (func(T), error) {
		return fold(tb, id, ttl, k.key, func(a *T, v T, fresh bool) {
			if fresh {
				*a = v
				return
			}
			*a = f(*a, v)
		}, next)
	}), ttl)
}

// Aggregate folds the records of each key into an A that starts as its zero value.
func (k Keyed[K, T]) Aggregate[A any](id string, ttl time.Duration, add func(A, T) A) Table[K, A] {
	k.s.need(id, add == nil)
	return standing(table(k, "Aggregate", id, func(tb *taskBuild, next func(Pair[K, A])) (func(T), error) {
		if tb.before(id) {
			return operators.FoldBefore(tb.task.Env, id, ttl, k.key, func(a *A, v T, _ bool) { *a = add(*a, v) }, next)
		}
		return operators.Aggregate(tb.task.Env, id, ttl, k.key, add, next)
	}), ttl)
}

// Process runs a processor with state and timers of its own per key. setup declares them, once per task, and returns the
// handler that gets each record; it may be called more often than there are tasks, so it must have no other effect.
func (k Keyed[K, T]) Process[U any](id string, setup func(*Setup[K, U]) Handler[K, T, U]) Stream[U] {
	st := k.processor("Process", "process", id, typeName[U]())
	st.Waits = needsEventTime(k.s.job, id, setup)
	out := newPort[U](st)
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) {
		f, err := operators.Process(tb.task.Env, id, k.key, setup, st.compileSides(tb), out.sink(tb))
		return built(tb, id, f, err)
	})
	return Stream[U]{k.s.job, out}
}

// ProcessTable is Process for a processor that keeps a row per key: what the handler emits replaces the row of its key, and
// Context.Withdraw deletes it. The result updates.
func (k Keyed[K, T]) ProcessTable[V any](id string, setup func(*Setup[K, V]) Handler[K, T, V]) Table[K, V] {
	st := k.processor("ProcessTable", "process-table", id, typeName[Pair[K, V]]())
	st.Waits = needsEventTime(k.s.job, id, setup)
	st.Updates, st.Rows, st.standing, st.nature = true, st.Key, true, processed
	out := newPort[Pair[K, V]](st)
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) {
		f, err := operators.ProcessTable(tb.task.Env, id, tb.before(id), k.key, setup, st.compileSides(tb), out.sink(tb))
		return built(tb, id, f, err)
	})
	return Table[K, V]{k.s.job, out}
}

// processor enters a keyed step with side outputs.
func (k Keyed[K, T]) processor(made, kind, id, out string) *step {
	st := k.keyed(made, kind, id, out)
	st.sides = map[string]*sideOutput{}
	return st
}

// needsEventTime looks what a processor declares. A nil setup is a fault; one that panics will do so again when the job starts.
func needsEventTime[K comparable, T, U any](j *Job, id string, setup func(*Setup[K, U]) Handler[K, T, U]) bool {
	if setup == nil {
		j.fault(fmt.Errorf("operator %q: func is nil", id))
		return false
	}
	defer func() {
		if r := recover(); r != nil {
			j.fault(fmt.Errorf("operator %q: its setup panics: %v", id, r))
		}
	}()
	return operators.NeedsEventTime(id, func(s *Setup[K, U]) { setup(s) })
}
