package operators

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Env is what the fused operators of one task share: the record in hand, the clock, the state. The task's loop owns it;
// operators read and write it during a call only.
type Env struct {
	TimeNS int64     // event time of the record in hand
	Hash   uint64    // its key's hash, behind a KeyBy
	Kind   flow.Kind // insert, or what it does to a changing result

	Clock *state.Clock // the engine's clock: a replay sees the same times
	Store *state.Store

	Task, Tasks int // which parallel copy this is, of how many

	// Filtered counts the records that operators dropped on purpose, so that every record is accounted for.
	Filtered int64

	timed  []Timed
	finals []Final
	rows   map[string]any // operator id to its state.Table of accumulators
}

// Timed is an operator with timers.
type Timed interface {
	// Fire runs timers that are due at the engine's clock, at most max, and says how many it ran.
	Fire(max int) int
	// NextNS is when the next processing-time timer is due, MaxInt64 for never.
	NextNS() int64
}

// Final is an operator with something to emit when the input has truly ended.
type Final interface {
	// Resume emits about n more records and says whether there are more to come.
	Resume(n int) (more bool)
}

// AddTimed registers an operator with timers, while the task is built.
func (e *Env) AddTimed(t Timed) { e.timed = append(e.timed, t) }

// AddFinal registers an operator that emits at the end, while the task is built.
func (e *Env) AddFinal(f Final) { e.finals = append(e.finals, f) }

// Timed lists the operators with timers, in the order they were built.
func (e *Env) Timed() []Timed { return e.timed }

// Finals lists the operators that emit at the end, in the order they were built.
func (e *Env) Finals() []Final { return e.finals }

// keepRows lets Scan find an aggregation's rows.
func (e *Env) keepRows(id string, rows any) {
	if e.rows == nil {
		e.rows = map[string]any{}
	}
	e.rows[id] = rows
}
