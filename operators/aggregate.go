package operators

import (
	"time"

	"github.com/millrace-io/millrace/state"
)

// Pair is a key with the newest value of its row in a changing result.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

// Fold keeps one A per key and emits it after each record. add changes the accumulator in place; fresh says that the key had
// none. A ttl other than state.Forever drops a key's accumulator that was not changed for that long; the next record of the
// key starts anew.
func Fold[K comparable, T, A any](e *Env, id string, ttl time.Duration, key func(T) K, add func(a *A, v T, fresh bool), next func(Pair[K, A])) (func(T), error) {
	if ttl != state.Forever {
		return foldTTL(e, id, ttl, key, add, next)
	}
	rows, err := accumulators[K, A](e, id)
	if err != nil {
		return nil, err
	}
	return func(v T) {
		k := key(v)
		a, fresh := rows.AtNew(e.Hash, k)
		add(a, v, fresh)
		next(Pair[K, A]{k, *a})
	}, nil
}

// Aggregate is Fold for an add that returns the new accumulator and starts from its zero value: a call less per record.
func Aggregate[K comparable, T, A any](e *Env, id string, ttl time.Duration, key func(T) K, add func(A, T) A, next func(Pair[K, A])) (func(T), error) {
	if ttl != state.Forever {
		return foldTTL(e, id, ttl, key, func(a *A, v T, _ bool) { *a = add(*a, v) }, next)
	}
	rows, err := accumulators[K, A](e, id)
	if err != nil {
		return nil, err
	}
	return func(v T) {
		k := key(v)
		a := rows.At(e.Hash, k)
		*a = add(*a, v)
		next(Pair[K, A]{k, *a})
	}, nil
}

// accumulator is the name of an aggregation's state within its operator.
const accumulator = "accumulator"

// accumulators makes an aggregation's table and lets Scan find it.
func accumulators[K comparable, A any](e *Env, id string) (*state.Table[K, A], error) {
	rows, err := state.NewTable[K, A](e.Store, id, accumulator)
	if err == nil {
		e.keepRows(id, rows)
	}
	return rows, err
}

func foldTTL[K comparable, T, A any](e *Env, id string, ttl time.Duration, key func(T) K, add func(*A, T, bool), next func(Pair[K, A])) (func(T), error) {
	at := new(state.At[K])
	row, err := state.NewValue[A](e.Store, at, id, accumulator, ttl)
	if err != nil {
		return nil, err
	}
	return func(v T) {
		at.Hash, at.Key = e.Hash, key(v)
		a, ok := row.Get()
		add(&a, v, !ok)
		row.Set(a)
		next(Pair[K, A]{at.Key, a})
	}, nil
}

// Count counts records per key.
func Count[K comparable, T any](e *Env, id string, ttl time.Duration, key func(T) K, next func(Pair[K, int64])) (func(T), error) {
	if ttl != state.Forever {
		return foldTTL(e, id, ttl, key, func(n *int64, _ T, _ bool) { *n++ }, next)
	}
	rows, err := accumulators[K, int64](e, id)
	if err != nil {
		return nil, err
	}
	return func(v T) {
		k := key(v)
		n := rows.At(e.Hash, k)
		*n++
		next(Pair[K, int64]{k, *n})
	}, nil
}
