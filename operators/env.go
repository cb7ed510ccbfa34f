package operators

import (
	"slices"

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

	// ForwardedNS is the watermark that has left the task. What the operator at its head emits may be older than the one of Clock.
	ForwardedNS int64

	Task, Tasks int // which parallel copy this is, of how many
	Split       int // in a source's task: the number of the split that the record in hand came from

	Executor          // for what may wait
	WholeBatches bool // a batch ends when all answers to its inputs are out: micro-batches

	// Filtered counts the records that operators dropped on purpose, so that every record is accounted for.
	Filtered int64
	// Late counts the records that came behind the watermark and were dropped for it.
	Late int64

	timed    []Timed
	event    []EventTimed
	trig     []Triggered
	starts   []Starter
	waits    []waiting
	holds    []Holding
	finals   []Final
	finalIDs []string
	emitted  map[string]map[flow.KeyGroup]bool // by operator
	again    []string                          // operators whose emitted does not matter
	keeper   Timekeeper
	rows     map[string]any // operator id to its state.Table of accumulators
}

// Timed is an operator with timers.
type Timed interface {
	// Fire runs timers that are due at the engine's clock, at most max, and says how many it ran.
	Fire(max int) int
	// NextNS is when the next processing-time timer is due, MaxInt64 for never.
	NextNS() int64
}

// EventTimed is an operator that does something when the watermark has passed a time.
type EventTimed interface {
	// FireEvent does what the watermark of the engine's clock has made due, about max pieces of it, in the order of their
	// times, and says whether there is more. While there is, the task takes no input and the watermark is not forwarded: what is
	// emitted here is never behind the watermark that follows it.
	FireEvent(max int) (more bool)
}

// Triggered is an operator that emits at the end of a batch: when the barrier of a trigger has arrived on all inputs, before the
// task's state is frozen for it.
type Triggered interface {
	// Resume emits about n more records of the batch that ends and says whether there are more to come. It is called until there
	// are none, and first for the next batch again after that.
	Resume(n int) (more bool)
}

// Timekeeper is an operator that makes the task's watermark from the records that pass it: one per chain.
type Timekeeper interface {
	// SplitNS is the watermark behind the records of a split so far, flow.NoWatermarkNS before the first.
	SplitNS(split int) int64
	// IdleNS is how long a split that is at its end may be silent before it does not hold the watermark back; MaxInt64: for ever.
	IdleNS() int64
	// Held says whether a split with this watermark is so far ahead of the slowest clock of the job that it must wait.
	Held(watermarkNS int64) bool
	// TickNS is how often the watermark moves by itself, with the engine's clock, whatever records there are; 0: it does not.
	TickNS() int64
	// Publish tells the other clocks of the job where this task stands, math.MaxInt64 when it waits for nothing.
	Publish(watermarkNS int64)
}

// Final is an operator with something to emit when the input has truly ended.
type Final interface {
	// Resume emits about n more records and says whether there are more to come.
	Resume(n int) (more bool)
}

// AddTimed registers an operator with timers, while the task is built.
func (e *Env) AddTimed(t Timed) { e.timed = append(e.timed, t) }

// AddEventTimed registers an operator that waits for the watermark, while the task is built. It heads its chain: an operator
// before it in the same task would emit behind the watermark that the task already shows.
func (e *Env) AddEventTimed(o EventTimed) { e.event = append(e.event, o) }

// EventTimed lists the operators that wait for the watermark.
func (e *Env) EventTimed() []EventTimed { return e.event }

// AddTriggered registers an operator that emits at the end of a batch, while the task is built.
func (e *Env) AddTriggered(o Triggered) { e.trig = append(e.trig, o) }

// Triggered lists the operators that emit at the end of a batch, in the order they were built: each behind those that it may
// emit to. The end of a batch goes through them from the last to the first.
func (e *Env) Triggered() []Triggered { return e.trig }

// AddStarter registers an operator with something to do before the first input, while the task is built.
func (e *Env) AddStarter(o Starter) { e.starts = append(e.starts, o) }

// Starters lists the operators with something to do before the first input, in the order they were built.
func (e *Env) Starters() []Starter { return e.starts }

// KeepTime registers the operator that makes the task's watermark, while the task is built.
func (e *Env) KeepTime(k Timekeeper) { e.keeper = k }

// Timekeeper is the operator that makes the task's watermark, nil when it comes with the input.
func (e *Env) Timekeeper() Timekeeper { return e.keeper }

// AddFinal registers an operator that emits at the end, while the task is built. It leaves out the key groups of Emitted.
func (e *Env) AddFinal(id string, f Final) {
	e.finals, e.finalIDs = append(e.finals, f), append(e.finalIDs, id)
}

// FinalIDs names the operators that emit at the end, in the order of Finals.
func (e *Env) FinalIDs() []string { return e.finalIDs }

// EmitAgain says that the last records of operator id leave in each attempt that comes to the end of the input.
func (e *Env) EmitAgain(id string) { e.again = append(e.again, id) }

// Emitted says which key groups' last records operator id had emitted before the restore and must leave out.
func (e *Env) Emitted(id string) map[flow.KeyGroup]bool {
	if slices.Contains(e.again, id) {
		return nil
	}
	return e.emitted[id]
}

// SetEmitted is for a restore.
func (e *Env) SetEmitted(id string, g flow.KeyGroup, emitted bool) {
	if e.emitted == nil {
		e.emitted = map[string]map[flow.KeyGroup]bool{}
	}
	if e.emitted[id] == nil {
		e.emitted[id] = map[flow.KeyGroup]bool{}
	}
	if e.emitted[id][g] = emitted; !emitted {
		delete(e.emitted[id], g)
	}
}

// ForgetEmitted empties Emitted and says whether there was anything.
func (e *Env) ForgetEmitted() (had bool) {
	for _, groups := range e.emitted {
		had = had || len(groups) > 0
	}
	e.emitted = nil
	return had
}

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
