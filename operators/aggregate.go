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
		return foldTTL(e, id, ttl, key, add, newest(next))
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
		return foldTTL(e, id, ttl, key, func(a *A, v T, _ bool) { *a = add(*a, v) }, newest(next))
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

// foldTTL keeps one A per key for a time, and gives emit each change of it: had says that there was an old one.
func foldTTL[K comparable, T, A any](e *Env, id string, ttl time.Duration, key func(T) K, add func(*A, T, bool), emit func(k K, old, now A, had bool)) (func(T), error) {
	at := new(state.At[K])
	row, err := state.NewValue[A](e.Store, at, id, accumulator, ttl)
	if err != nil {
		return nil, err
	}
	var now A // made once: add may be anything, so what it gets the address of is on the heap
	return func(v T) {
		at.Hash, at.Key = e.Hash, key(v)
		old, had := row.Get()
		now = old
		add(&now, v, !had)
		row.Set(now)
		emit(at.Key, old, now, had)
	}, nil
}

// newest emits a row's new value alone.
func newest[K comparable, A any](next func(Pair[K, A])) func(k K, old, now A, had bool) {
	return func(k K, _, now A, _ bool) { next(Pair[K, A]{k, now}) }
}

// Count counts records per key.
func Count[K comparable, T any](e *Env, id string, ttl time.Duration, key func(T) K, next func(Pair[K, int64])) (func(T), error) {
	if ttl != state.Forever {
		return foldTTL(e, id, ttl, key, func(n *int64, _ T, _ bool) { *n++ }, newest(next))
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
