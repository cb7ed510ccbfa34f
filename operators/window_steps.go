package operators

import "github.com/millrace-io/millrace/flow"

// MapPanes emits the pane with f of it, and the same kind of change.
func MapPanes[K comparable, V, U any](f func(Pane[K, V]) U, next func(Pane[K, U])) func(Pane[K, V]) {
	return func(p Pane[K, V]) { next(Pane[K, U]{p.Key, p.Start, p.End, f(p)}) }
}

// FilterPanes passes the panes for which keep is true. A pane whose new value fails is deleted downstream, where an older value of
// it may stand; as a final one it is no row.
func FilterPanes[K comparable, V any](e *Env, keep func(Pane[K, V]) bool, next func(Pane[K, V])) func(Pane[K, V]) {
	return func(p Pane[K, V]) {
		kind := e.Kind
		if withdraws(kind) || keep(p) {
			next(p)
			return
		}
		if kind == flow.Final {
			e.Filtered++
			return
		}
		e.Kind = flow.Delete
		next(p)
		e.Kind = kind
	}
}

// PaneChanges emits f of each change; withdrawals are dropped and counted.
func PaneChanges[K comparable, V, U any](e *Env, f func(Pane[K, V]) U, next func(U)) func(Pane[K, V]) {
	return func(p Pane[K, V]) {
		if withdraws(e.Kind) {
			e.Filtered++
			return
		}
		kind := e.Kind
		e.Kind = flow.Insert
		next(f(p))
		e.Kind = kind
	}
}
