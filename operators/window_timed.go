package operators

import (
	"github.com/millrace-io/millrace/state"
)

// timedWindows is what the operators of windows with an end in event time have in common.
type timedWindows[K comparable, T any] struct {
	env      *Env
	config   WindowConfig
	firing   Firing
	late     func(T)     // nil: late records are counted
	deferred bool        // changes are not emitted with each record, but later
	stale    bool        // what is derived of the state must be rebuilt
	ticks    tickList[K] // of what is deferred until a time
}

func newTimedWindows[K comparable, T any](e *Env, c WindowConfig, late func(T)) timedWindows[K, T] {
	f := c.firing()
	return timedWindows[K, T]{env: e, config: c, firing: f, late: late, deferred: c.Changes && !f.each(), stale: true}
}

// timedHolding is a window operator to its task.
type timedHolding interface {
	EventTimed
	Holding
}

// register registers operator x, of which w is a part, with its task. fire emits what is deferred of a key.
func (w *timedWindows[K, T]) register(x timedHolding, fire func(state.At[K])) {
	w.env.Store.AfterRestore(func() error { w.stale = true; return nil })
	w.env.AddEventTimed(x)
	if w.config.Grace > 0 {
		w.env.AddHolding(x)
	}
	if w.deferred && w.firing.Every > 0 {
		w.ticks = tickList[K]{env: w.env, every: w.firing.Every, fire: fire}
		w.env.AddTimed(&w.ticks)
	}
}

// tooLate takes a record whose windows are all done.
func (w *timedWindows[K, T]) tooLate(v T) {
	if w.late == nil {
		w.env.Late++
		return
	}
	w.late(v)
}
