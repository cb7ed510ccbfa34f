package operators

import (
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Scan emits the rows of an aggregation in the same task once, when the input has ended. It keeps no state of its own.
type Scan[K comparable, V any] struct {
	env    *Env
	id     string
	of     string
	cursor state.Cursor
	hash   func(K) uint64
	next   func(Pair[K, V])
}

// NewScan registers the operator with e; its step drops the changes, since the rows stand in the state of operator of.
func NewScan[K comparable, V any](e *Env, id, of string, hash func(K) uint64, next func(Pair[K, V])) func(Pair[K, V]) {
	e.AddFinal(id, &Scan[K, V]{env: e, id: id, of: of, hash: hash, next: next})
	return func(Pair[K, V]) {}
}

// Resume implements Final.
func (s *Scan[K, V]) Resume(n int) (more bool) {
	rows, ok := s.env.rows[s.of].(*state.Table[K, V])
	if !ok {
		panic(fmt.Sprintf("operator %q has no rows of this type in its task", s.of))
	}
	return emitRows(s.env, s.id, rows, &s.cursor, n, s.hash, s.next)
}

// emitRows emits about n rows as inserts of the time at which that is, without those of an earlier attempt.
func emitRows[K comparable, V any](
	e *Env, id string, rows *state.Table[K, V], cursor *state.Cursor, n int, hash func(K) uint64, next func(Pair[K, V]),
) (more bool) {
	emitted, groups := e.Emitted(id), e.Store.KeyGroups()
	e.Kind, e.TimeNS = flow.Insert, e.Clock.NowNS
	return rows.Scan(cursor, n, func(k K, v *V) {
		if e.Hash = hash(k); len(emitted) == 0 || !emitted[flow.GroupOf(e.Hash, groups)] {
			next(Pair[K, V]{k, *v})
		}
	})
}

// Latest keeps the newest value per key and emits each once, when the input has ended: the last rows of a result that stands
// in no state.
type Latest[K comparable, V any] struct {
	env    *Env
	id     string
	rows   *state.Table[K, V]
	cursor state.Cursor
	hash   func(K) uint64
	next   func(Pair[K, V])
}

// NewLatest registers the operator with e and returns its step. Deleted rows are forgotten.
func NewLatest[K comparable, V any](e *Env, id string, hash func(K) uint64, next func(Pair[K, V])) (func(Pair[K, V]), error) {
	rows, err := state.NewTable[K, V](e.Store, id, "latest")
	if err != nil {
		return nil, err
	}
	l := &Latest[K, V]{env: e, id: id, rows: rows, hash: hash, next: next}
	e.AddFinal(id, l)
	return l.keep, nil
}

func (l *Latest[K, V]) keep(p Pair[K, V]) {
	h := l.hash(p.Key)
	if withdraws(l.env.Kind) {
		l.rows.Delete(h, p.Key)
		return
	}
	*l.rows.At(h, p.Key) = p.Value
}

// Resume implements Final.
func (l *Latest[K, V]) Resume(n int) (more bool) {
	return emitRows(l.env, l.id, l.rows, &l.cursor, n, l.hash, l.next)
}
