package operators

import (
	"fmt"

	"github.com/millrace-io/millrace/state"
)

// Scan emits the rows of an aggregation in the same task once, when the input has ended. It keeps no state of its own.
type Scan[K comparable, V any] struct {
	env    *Env
	of     string
	cursor state.Cursor
	hash   func(K) uint64
	next   func(Pair[K, V])
}

// NewScan registers the operator with e; its step drops the changes, since the rows stand in the state of operator of.
func NewScan[K comparable, V any](e *Env, of string, hash func(K) uint64, next func(Pair[K, V])) func(Pair[K, V]) {
	e.AddFinal(&Scan[K, V]{env: e, of: of, hash: hash, next: next})
	return func(Pair[K, V]) {}
}

// Resume implements Final.
func (s *Scan[K, V]) Resume(n int) (more bool) {
	rows, ok := s.env.rows[s.of].(state.Table[K, V])
	if !ok {
		panic(fmt.Sprintf("operator %q has no rows of this type in its task", s.of))
	}
	return emitRows(s.env, rows, &s.cursor, n, s.hash, s.next)
}

func emitRows[K comparable, V any](e *Env, rows state.Table[K, V], cursor *state.Cursor, n int, hash func(K) uint64, next func(Pair[K, V])) (more bool) {
	return rows.Scan(cursor, n, func(k K, v *V) {
		e.Hash = hash(k)
		next(Pair[K, V]{k, *v})
	})
}

// Latest keeps the newest value per key and emits each once, when the input has ended: the last rows of a result that stands
// in no state.
type Latest[K comparable, V any] struct {
	env    *Env
	rows   state.Table[K, V]
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
	l := &Latest[K, V]{env: e, rows: rows, hash: hash, next: next}
	e.AddFinal(l)
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
	return emitRows(l.env, l.rows, &l.cursor, n, l.hash, l.next)
}
