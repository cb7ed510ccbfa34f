package operators

import "github.com/millrace-io/millrace/flow"

// withdraws says whether a record of this kind takes a row back.
func withdraws(k flow.Kind) bool { return k == flow.UpdateBefore || k == flow.Delete }

// MapValues emits the row with f of its value, and the same kind of change.
func MapValues[K comparable, V, U any](f func(K, V) U, next func(Pair[K, U])) func(Pair[K, V]) {
	return func(p Pair[K, V]) { next(Pair[K, U]{p.Key, f(p.Key, p.Value)}) }
}

// FilterRows passes the rows for which keep is true. A row whose new value fails is deleted downstream, where an older
// value of it may stand: nothing is dropped, so nothing is counted as filtered.
func FilterRows[K comparable, V any](e *Env, keep func(K, V) bool, next func(Pair[K, V])) func(Pair[K, V]) {
	return func(p Pair[K, V]) {
		kind := e.Kind
		if !withdraws(kind) && !keep(p.Key, p.Value) {
			e.Kind = flow.Delete
		}
		next(p)
		e.Kind = kind
	}
}

// Rows leaves the world of updates: each change of a row becomes a record, deletions are dropped and counted. A value that comes
// only because it is replaced is part of a change and not counted.
func Rows[K comparable, V, U any](e *Env, f func(K, V) U, next func(U)) func(Pair[K, V]) {
	return func(p Pair[K, V]) {
		if withdraws(e.Kind) {
			if e.Kind == flow.Delete {
				e.Filtered++
			}
			return
		}
		if e.Kind == flow.Insert {
			next(f(p.Key, p.Value))
			return
		}
		kind := e.Kind
		e.Kind = flow.Insert
		next(f(p.Key, p.Value))
		e.Kind = kind
	}
}
