package operators

import (
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Timer is a named timer of a processor; Set, Delete and All are about the key in hand.
type Timer[K comparable, U any] struct {
	setup *Setup[K, U]
	id    state.TimerID
}

// Set asks for a call at the given time. Setting the same time twice is setting it once. A time that has passed is a call at the
// next chance: by the handler of a timer, after the others that are due.
func (t *Timer[K, U]) Set(at time.Time) {
	s, ns := t.setup, NanosOf(at)
	if s.firing && s.domain == s.kinds[t.id].domain && ns <= s.clockNS(s.domain) {
		s.drop(t.id, ns)
		s.late = append(s.late, lateTimer[K]{s.at.Key, s.at.Hash, t.id, ns})
		return
	}
	s.timers.Set(t.id, ns)
}

// Delete takes the timer at the given time back, if there is one.
func (t *Timer[K, U]) Delete(at time.Time) {
	t.setup.drop(t.id, NanosOf(at))
	t.setup.timers.Delete(t.id, NanosOf(at))
}

// All lists the times set for the key in hand, earliest first.
func (t *Timer[K, U]) All() []time.Time {
	var all []int64
	for ns := range t.setup.timers.List(t.id) {
		all = append(all, ns)
	}
	for _, l := range t.setup.late {
		if l.id == t.id && l.key == t.setup.at.Key {
			all = append(all, l.atNS)
		}
	}
	slices.Sort(all)
	var times []time.Time
	for _, ns := range slices.Compact(all) {
		times = append(times, time.Unix(0, ns))
	}
	return times
}

// drop forgets a late timer of the key in hand.
func (s *Setup[K, U]) drop(id state.TimerID, atNS int64) {
	for i, l := range s.late {
		if l.id == id && l.atNS == atNS && l.key == s.at.Key {
			s.late = slices.Delete(s.late, i, i+1)
			return
		}
	}
}

// release makes timers of the late ones.
func (s *Setup[K, U]) release() {
	s.firing = false
	for _, l := range s.late {
		s.at.Key, s.at.Hash = l.key, l.hash
		s.timers.Set(l.id, l.atNS)
	}
	clear(s.late)
	s.late = s.late[:0]
}

// lateTimer is a timer that was set when it was due already, by the handler of another or of itself. Among the timers it would
// be before all others, so a handler that does so each time would keep theirs from running: it waits for the next chance.
type lateTimer[K comparable] struct {
	key  K
	hash uint64
	id   state.TimerID
	atNS int64
}

// clockNS is the time that timers of a domain wait for.
func (s *Setup[K, U]) clockNS(domain state.TimerDomain) int64 {
	if domain == state.EventTime {
		return s.env.Clock.WatermarkNS
	}
	return s.env.Clock.NowNS
}

// timed fires a processor's timers.
type timed[K comparable, U any] struct {
	setup   *Setup[K, U]
	context *Context[K, U]
}

// Fire implements Timed.
func (t *timed[K, U]) Fire(limit int) int { return t.fire(state.ProcessingTime, limit) }

// FireEvent implements EventTimed.
func (t *timed[K, U]) FireEvent(limit int) (more bool) {
	return t.fire(state.EventTime, limit) == limit
}

func (t *timed[K, U]) fire(domain state.TimerDomain, limit int) int {
	t.setup.firing, t.setup.domain = true, domain
	n := 0
	for n < limit && t.fireNext(domain) {
		n++
	}
	t.setup.release()
	return n
}

// fireNext runs the next timer of a domain that is due, if there is one.
func (t *timed[K, U]) fireNext(domain state.TimerDomain) bool {
	s := t.setup
	k, h, id, at, ok := s.timers.Due(domain, s.clockNS(domain))
	if !ok {
		return false
	}
	s.at.Key, s.at.Hash = k, h
	s.drop(id, at) // set again before it ran: it is set once
	s.env.Hash, s.env.TimeNS, s.env.Kind = h, at, flow.Insert
	if err := s.kinds[id].fire(t.context, time.Unix(0, at)); err != nil {
		panic(UserError{Operator: s.id, Key: fmt.Sprint(k), Err: err})
	}
	return true
}

// NextNS implements Timed.
func (t *timed[K, U]) NextNS() int64 { return t.setup.timers.NextNS(state.ProcessingTime) }
