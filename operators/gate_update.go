package operators

import (
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// UpdateGate holds the changes of rows until the end of a batch and then emits one record for each row that changed: its last
// value as an insert, or a deletion with the value that the row had before the batch. A row that came and went within the batch is
// nothing. Rows come out in the order of their first change.
//
// What it holds stands in its state, since an epoch may be cut within a batch.
type UpdateGate[RK comparable, R any] struct {
	*heldChanges
	rows gatedRows[RK, R]
}

// heldChanges is what became of rows in the batch so far.
type heldChanges struct {
	env     *Env
	table   *state.Table[string, heldChange]
	order   []string // of first changes: those in the table; derived from it after a restore
	derived bool
}

// heldChange is what became of a row.
type heldChange struct {
	TimeNS  int64
	Hash    uint64
	Existed bool // before the batch, with the value Was
	Gone    bool
	Was, Is []byte
}

// NewUpdateGate registers the operator with e and returns its step, which wants changes with the values they replace, spread by
// the hash of RowKey.
func NewUpdateGate[RK comparable, R any](e *Env, id string, row func(R) RK, next func(R)) (func(R), error) {
	g, err := newUpdateGate(e, id, row, next)
	if err != nil {
		return nil, err
	}
	e.AddTriggered(g)
	return g.take, nil
}

// NewUpdatePass is the gate of a job whose records flow one by one: what a run that held them left behind comes first, then each
// change as it comes. The state is there all the same, so that either run can go on from the other's.
func NewUpdatePass[RK comparable, R any](e *Env, id string, row func(R) RK, next func(R)) (func(R), error) {
	g, err := newUpdateGate(e, id, row, next)
	if err != nil {
		return nil, err
	}
	e.AddStarter(leftBehind[RK, R]{g})
	return next, nil
}

func newUpdateGate[RK comparable, R any](e *Env, id string, row func(R) RK, next func(R)) (*UpdateGate[RK, R], error) {
	rows, err := newGatedRows(id, row, next)
	if err != nil {
		return nil, err
	}
	held, err := newHeldChanges(e, id)
	if err != nil {
		return nil, err
	}
	return &UpdateGate[RK, R]{held, rows}, nil
}

func newHeldChanges(e *Env, id string) (*heldChanges, error) {
	table, err := state.NewTable[string, heldChange](e.Store, id, "changes-of-batch")
	if err != nil {
		return nil, err
	}
	return &heldChanges{env: e, table: table}, nil
}

func (g *UpdateGate[RK, R]) take(r R) {
	if g.env.Kind != flow.Final {
		g.note(g.rows.held(r))
	}
}

// note takes a change of the row under a key.
func (h *heldChanges) note(key string, row []byte) {
	h.derive()
	e := h.env
	c, first := h.table.AtNew(hashString(key), key)
	if first {
		h.order = append(h.order, key)
		if c.Existed = e.Kind != flow.Insert; c.Existed {
			c.Was = row
		}
	}
	c.TimeNS, c.Hash = e.TimeNS, e.Hash
	switch e.Kind {
	case flow.Delete:
		c.Gone = true
	case flow.Insert, flow.UpdateAfter:
		c.Is, c.Gone = row, false
	}
}

// derive finds what is held after a restore.
func (h *heldChanges) derive() {
	if h.derived {
		return
	}
	h.derived = true
	var cursor state.Cursor
	for h.table.Scan(&cursor, h.table.Len()+1, func(k string, _ *heldChange) { h.order = append(h.order, k) }) {
	}
}

// Resume implements Triggered.
func (g *UpdateGate[RK, R]) Resume(n int) (more bool) {
	g.derive()
	n = min(n, len(g.order))
	for _, key := range g.order[:n] {
		if row, ok := g.release(key); ok {
			g.rows.emit(row)
		}
	}
	g.env.Kind = flow.Insert
	left := copy(g.order, g.order[n:])
	clear(g.order[left:])
	g.order = g.order[:left]
	return left > 0
}

// release forgets the change under a key and makes it the record in hand, if there is anything to say.
func (h *heldChanges) release(key string) (row []byte, ok bool) {
	e, hash := h.env, hashString(key)
	held, ok := h.table.Get(hash, key)
	if !ok {
		panic(fmt.Sprintf("row %q changed in the batch and is not held", key))
	}
	c := *held
	h.table.Delete(hash, key)
	e.Hash, e.TimeNS, e.Kind = c.Hash, c.TimeNS, flow.Insert
	if !c.Gone {
		return c.Is, true
	}
	e.Kind = flow.Delete
	return c.Was, c.Existed
}

// leftBehind emits what a gate holds before the first record.
type leftBehind[RK comparable, R any] struct{ g *UpdateGate[RK, R] }

// Start implements Starter.
func (l leftBehind[RK, R]) Start(n int) (more bool) { return l.g.Resume(n) }
