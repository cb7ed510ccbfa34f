package operators

import (
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// FoldBefore is Fold for readers that want the value that each change replaces: a key's first value is an insert, each further one
// an update-before with the old value and, at once behind it, an update-after with the new one. add must not change what a value
// points to: the old one is still on its way.
func FoldBefore[K comparable, T, A any](e *Env, id string, ttl time.Duration, key func(T) K, add func(a *A, v T, fresh bool), next func(Pair[K, A])) (func(T), error) {
	if ttl != state.Forever {
		return foldTTL(e, id, ttl, key, add, func(k K, old, now A, had bool) { change(e, next, k, old, now, had) })
	}
	rows, err := accumulators[K, A](e, id)
	if err != nil {
		return nil, err
	}
	return func(v T) {
		k := key(v)
		a, fresh := rows.AtNew(e.Hash, k)
		old := *a
		add(a, v, fresh)
		change(e, next, k, old, *a, !fresh)
	}, nil
}

// change emits a row's new value, behind the old one where there was one.
func change[K comparable, V any](e *Env, next func(Pair[K, V]), k K, old, now V, had bool) {
	kind := e.Kind
	if had {
		e.Kind = flow.UpdateBefore
		next(Pair[K, V]{k, old})
		e.Kind = flow.UpdateAfter
	} else {
		e.Kind = flow.Insert
	}
	next(Pair[K, V]{k, now})
	e.Kind = kind
}

// befores holds the old values of rows between an update-before and the update-after that follows it. They follow at once, except
// where the lanes of several tasks come together: then records of other keys may be between. At a barrier it is empty.
type befores[K comparable, V any] struct {
	held bool
	key  K
	old  V
	more map[K]V // while the first place is taken
}

func (b *befores[K, V]) put(k K, old V) {
	if !b.held {
		b.held, b.key, b.old = true, k, old
		return
	}
	if b.more == nil {
		b.more = map[K]V{}
	}
	b.more[k] = old
}

func (b *befores[K, V]) take(k K) (old V, ok bool) {
	var none V
	if b.held && b.key == k {
		old, b.old, b.held = b.old, none, false
		return old, true
	}
	if old, ok = b.more[k]; ok {
		delete(b.more, k)
	}
	return old, ok
}

// FilterBefore keeps the rows for which keep is true, of changes that come with the values they replace, and gives such: a row that
// no longer passes is deleted with the value that did, one that begins to pass is an insert, and one that passed neither before nor
// now is counted as filtered. row identifies a row.
func FilterBefore[R any, RK comparable](e *Env, row func(R) RK, keep func(R) bool, next func(R)) func(R) {
	var before befores[RK, R]
	return func(r R) {
		passes := keep(r)
		switch kind := e.Kind; {
		case kind == flow.UpdateBefore:
			if passes {
				before.put(row(r), r)
			}
		case kind == flow.UpdateAfter:
			old, had := before.take(row(r))
			turned(e, next, old, r, had, passes)
		case passes:
			next(r)
		default:
			e.Filtered++
		}
	}
}

// turned emits what an update is behind a filter that the old value did or did not pass, and the new one does or does not.
func turned[R any](e *Env, next func(R), old, now R, had, has bool) {
	switch {
	case had && has:
		e.Kind = flow.UpdateBefore
		next(old)
		e.Kind = flow.UpdateAfter
		next(now)
	case has:
		e.Kind = flow.Insert
		next(now)
	case had:
		e.Kind = flow.Delete
		next(old)
	default:
		e.Filtered++
	}
	e.Kind = flow.UpdateAfter
}

// Upserts gives a reader that wants no old values what it would get if nobody wanted them: the newest value of a row as an insert.
func Upserts[T any](e *Env, next func(T)) func(T) {
	return func(v T) {
		switch e.Kind {
		case flow.UpdateBefore:
		case flow.UpdateAfter:
			e.Kind = flow.Insert
			next(v)
			e.Kind = flow.UpdateAfter
		default:
			next(v)
		}
	}
}
