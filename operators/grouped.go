package operators

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Regroup sends the changes of rows of type R, which come with the values they replace, to the groups they belong to. An update
// within a group is sent as it came, the old value before the new one; one that moves the row to another group is a deletion there and
// an insert here, since nobody sees both. row identifies a row; send gets the hash of the group's key and the kind in e.
func Regroup[R any, RK, K comparable](e *Env, row func(R) RK, key func(R) K, hash func(K) uint64, send func(R, uint64)) func(R) {
	var before befores[RK, R]
	return func(r R) {
		kind := e.Kind
		switch kind {
		case flow.UpdateBefore:
			before.put(row(r), r)
			return
		case flow.UpdateAfter:
			old := updated(before.take(row(r)))
			was, is := key(old), key(r)
			if was == is {
				e.Kind = flow.UpdateBefore
				send(old, hash(was))
				e.Kind = flow.UpdateAfter
				send(r, hash(is))
				break
			}
			e.Kind = flow.Delete
			send(old, hash(was))
			e.Kind = flow.Insert
			send(r, hash(is))
		case flow.Insert, flow.Delete:
			send(r, hash(key(r)))
		case flow.Final: // the row is in its group already
		}
		e.Kind = kind
	}
}

// updated is the old value of a row that changes.
func updated[V any](old V, ok bool) V {
	if !ok {
		panic("a row is updated without the value it replaces")
	}
	return old
}

// GroupChange is what a change of a row does to a group of rows: a value leaves it, one comes in, or both.
type GroupChange[K comparable, V any] struct {
	Key      K
	Old, New V
	Had, Has bool // Old leaves the group; New comes into it
}

// Regrouped turns what Regroup sent into changes of groups.
func Regrouped[R any, RK, K comparable, V any](e *Env, row func(R) RK, key func(R) K, value func(R) V, next func(GroupChange[K, V])) func(R) {
	var before befores[RK, V]
	return func(r R) {
		switch e.Kind {
		case flow.UpdateBefore:
			before.put(row(r), value(r))
		case flow.UpdateAfter:
			next(GroupChange[K, V]{key(r), updated(before.take(row(r))), value(r), true, true})
		case flow.Delete:
			next(GroupChange[K, V]{Key: key(r), Old: value(r), Had: true})
		default:
			next(GroupChange[K, V]{Key: key(r), New: value(r), Has: true})
		}
	}
}

// GroupFold is an aggregate that can take back what it was given.
type GroupFold[V, A, O any] struct {
	Add, Remove func(a *A, v V)
	// Result is the row of a group of so many values, at least one. What it points to must not change any more.
	Result func(values int64, a *A) O
	// Same says that a change left the row as it was, so that there is nothing to emit; nil: that is never known.
	Same func(was, is O) bool
}

// group is what is kept of a group. A group without values is not kept, so it begins anew. Under at-least-once a deletion that is
// repeated may come before what it deletes: then Values is negative for that long.
type group[A any] struct {
	Values int64
	Fold   A
}

// Group keeps an aggregate of each group and emits its row when it changes: an insert, which replaces the group's row, or a
// deletion when the last value has left. before asks for the value that a change replaces.
func Group[K comparable, V, A, O any](e *Env, id string, f GroupFold[V, A, O], before bool, next func(Pair[K, O])) (func(GroupChange[K, V]), error) {
	groups, err := state.NewTable[K, group[A]](e.Store, id, accumulator)
	if err != nil {
		return nil, err
	}
	emit := groupChanges(e, f.Same, before, next)
	return func(c GroupChange[K, V]) {
		g := groups.At(e.Hash, c.Key)
		was, had := groupRow(g, f)
		if c.Had {
			f.Remove(&g.Fold, c.Old)
			if g.Values--; g.Values == 0 {
				*g = group[A]{}
			}
		}
		if c.Has {
			f.Add(&g.Fold, c.New)
			if g.Values++; g.Values == 0 {
				*g = group[A]{}
			}
		}
		is, has := groupRow(g, f)
		if g.Values == 0 {
			groups.Delete(e.Hash, c.Key)
		}
		emit(c.Key, was, is, had, has)
	}, nil
}

func groupRow[V, A, O any](g *group[A], f GroupFold[V, A, O]) (row O, ok bool) {
	if g.Values <= 0 {
		return row, false
	}
	return f.Result(g.Values, &g.Fold), true
}

// groupChanges emits what became of a group's row.
func groupChanges[K comparable, O any](e *Env, same func(was, is O) bool, before bool, next func(Pair[K, O])) func(k K, was, is O, had, has bool) {
	return func(k K, was, is O, had, has bool) {
		kind := e.Kind
		switch {
		case had && !has:
			e.Kind = flow.Delete
			next(Pair[K, O]{k, was})
		case has && had && same != nil && same(was, is):
		case has:
			change(e, next, k, was, is, had && before)
		}
		e.Kind = kind
	}
}
