package operators

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// CompleteGate keeps a whole result, forgetting nothing, and emits all of it at the end of each batch in which it changed, as
// inserts. A result that has lost its last row comes out as that row's deletion, so that who reads it can tell no rows from no
// change. It runs as one task: a table has one writer.
//
// The rows have a copy here, also where they stand in an aggregation's own state: that one has as many tasks as it likes, none of
// which knows whether the others' rows changed, and may get more of them with the next start.
type CompleteGate[RK comparable, R any] struct {
	kept *keptTable
	rows gatedRows[RK, R]
}

// keptTable is a whole result.
type keptTable struct {
	env     *Env
	table   *state.Table[string, keptRow]
	changes *state.Table[string, tableChange] // one entry, when the result changed in this batch
	cursor  state.Cursor
}

// keptRow is a row of the result.
type keptRow struct {
	TimeNS int64 // event time of its last change
	Hash   uint64
	Row    []byte
}

// tableChange says that the result changed.
type tableChange struct {
	Deleted []byte // the row that was deleted last, or none
}

// only is the key of a state's one entry.
const only = "only"

// NewCompleteGate registers the operator with e and returns its step.
func NewCompleteGate[RK comparable, R any](e *Env, id string, row func(R) RK, next func(R)) (func(R), error) {
	rows, err := newGatedRows(id, row, next)
	if err != nil {
		return nil, err
	}
	kept, err := newKeptTable(e, id)
	if err != nil {
		return nil, err
	}
	g := &CompleteGate[RK, R]{kept, rows}
	e.AddTriggered(g)
	return g.take, nil
}

func newKeptTable(e *Env, id string) (*keptTable, error) {
	table, err := state.NewTable[string, keptRow](e.Store, id, "rows")
	if err != nil {
		return nil, err
	}
	changes, err := state.NewTable[string, tableChange](e.Store, id, "change-of-batch")
	if err != nil {
		return nil, err
	}
	return &keptTable{env: e, table: table, changes: changes}, nil
}

func (g *CompleteGate[RK, R]) take(r R) {
	if k := g.kept.env.Kind; k != flow.UpdateBefore && k != flow.Final {
		g.kept.keep(g.rows.held(r))
	}
}

// keep takes the newest value of the row under a key, or its deletion.
func (t *keptTable) keep(key string, row []byte) {
	h := hashString(key)
	if t.env.Kind != flow.Delete {
		*t.table.At(h, key) = keptRow{t.env.TimeNS, t.env.Hash, row}
		t.changes.At(hashString(only), only)
	} else if kept, ok := t.table.Get(h, key); ok {
		t.changes.At(hashString(only), only).Deleted = kept.Row
		t.table.Delete(h, key)
	}
}

// Resume implements Triggered.
func (g *CompleteGate[RK, R]) Resume(n int) (more bool) {
	return g.kept.emit(n, g.rows.emit)
}

func (t *keptTable) emit(n int, next func(row []byte)) (more bool) {
	change, ok := t.changes.Get(hashString(only), only)
	if !ok {
		return false
	}
	e := t.env
	if t.table.Len() == 0 {
		e.Kind = flow.Delete
		next(change.Deleted)
	} else {
		e.Kind = flow.Insert
		more = t.table.Scan(&t.cursor, n, func(_ string, r *keptRow) {
			e.Hash, e.TimeNS = r.Hash, r.TimeNS
			next(r.Row)
		})
	}
	e.Kind = flow.Insert
	if !more {
		t.changes.Delete(hashString(only), only)
		t.cursor = state.Cursor{}
	}
	return more
}
