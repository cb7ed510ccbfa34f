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
	t.out.step.standing = ttl == state.Forever
	return t
}

// Count counts the records of each key. ttl is how long a key that gets no record is remembered; state.Forever keeps it.
func (k Keyed[K, T]) Count(id string, ttl time.Duration) Table[K, int64] {
	return standing(table(k, "Count", id, func(tb *taskBuild, next func(Pair[K, int64])) (func(T), error) {
		return operators.Count(tb.task.Env, id, ttl, k.key, next)
	}), ttl)
}

// Sum adds f of the records of each key.
func (k Keyed[K, T]) Sum[N Number](id string, ttl time.Duration, f func(T) N) Table[K, N] {
	k.s.need(id, f == nil)
	return standing(table(k, "Sum", id, func(tb *taskBuild, next func(Pair[K, N])) (func(T), error) {
		return operators.Fold(tb.task.Env, id, ttl, k.key, func(sum *N, v T, _ bool) { *sum += f(v) }, next)
	}), ttl)
}

// Number is what Sum can add.
type Number interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Reduce combines the records of each key, two at a time in order; the first stands for itself.
func (k Keyed[K, T]) Reduce(id string, ttl time.Duration, f func(a, b T) T) Table[K, T] {
	k.s.need(id, f == nil)
	return standing(table(k, "Reduce", id, func(tb *taskBuild, next func(Pair[K, T])) (func(T), error) {
		return operators.Fold(tb.task.Env, id, ttl, k.key, func(a *T, v T, fresh bool) {
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
		return operators.Aggregate(tb.task.Env, id, ttl, k.key, add, next)
	}), ttl)
}

// Process runs a processor with state and timers of its own per key. setup declares them, once per task, and returns the
// handler that gets each record; it may be called more often than there are tasks, so it must have no other effect.
func (k Keyed[K, T]) Process[U any](id string, setup func(*Setup[K, U]) Handler[K, T, U]) Stream[U] {
	k.s.need(id, setup == nil)
	st := k.keyed("Process", "process", id, typeName[U]())
	st.sides = map[string]*sideOutput{}
	out := newPort[U](st)
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) {
		sides := map[string]any{}
		for name, s := range st.sides {
			sides[name] = s.compile(tb)
		}
		f, err := operators.Process(tb.task.Env, id, k.key, setup, sides, out.sink(tb))
		return built(tb, id, f, err)
	})
	return Stream[U]{k.s.job, out}
}
