package operators

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/state"
)

// Setup is where a processor declares its state and timers, once per task before the first record. Its methods are for
// that moment only; what they return is for the handler.
type Setup[K comparable, U any] struct {
	env    *Env
	id     string
	at     *state.At[K]
	timers *state.Timers[K]
	kinds  []timerKind[K, U] // by timer id
	firing bool              // handlers of timers run
	domain state.TimerDomain // of these
	late   []lateTimer[K]    // set meanwhile, and due already
	faults []error
	first  []initial[K, U]
}

// timerKind is a declared timer.
type timerKind[K comparable, U any] struct {
	domain state.TimerDomain
	fire   func(*Context[K, U], time.Time) error
}

// Value declares a value per key under name. ttl is how long it lives after the last Set, by processing time; state.Forever
// keeps it until Clear.
func (s *Setup[K, U]) Value[V any](name string, ttl time.Duration) *state.Value[V] {
	v, err := state.NewValue[V](s.env.Store, s.at, s.id, name, ttl)
	s.fault(err)
	return v
}

// List declares a list per key under name. Each element lives ttl after it was appended; Put renews.
func (s *Setup[K, U]) List[V any](name string, ttl time.Duration) *state.List[V] {
	l, err := state.NewList[V](s.env.Store, s.at, s.id, name, ttl)
	s.fault(err)
	return l
}

// Map declares a map per key under name. Each entry lives ttl after it was last set.
func (s *Setup[K, U]) Map[MK comparable, V any](name string, ttl time.Duration) *state.Map[MK, V] {
	m, err := state.NewMap[MK, V](s.env.Store, s.at, s.id, name, ttl)
	s.fault(err)
	return m
}

// Timer declares a processing-time timer with the handler that runs when it is due, on the task's loop, with the key it
// was set for. It fires without input, and at the next chance when set in the past.
func (s *Setup[K, U]) Timer(name string, f func(*Context[K, U], time.Time) error) *Timer[K, U] {
	return s.timer(name, state.ProcessingTime, f)
}

// EventTimer declares an event-time timer: its handler runs when the watermark has reached the time it was set for, before any
// record that follows the watermark. What is read must have a watermark. The end of all input brings the final watermark,
// which makes every timer due: a handler that sets the next timer without end must look at Context.Final.
func (s *Setup[K, U]) EventTimer(name string, f func(*Context[K, U], time.Time) error) *Timer[K, U] {
	return s.timer(name, state.EventTime, f)
}

func (s *Setup[K, U]) timer(name string, domain state.TimerDomain, f func(*Context[K, U], time.Time) error) *Timer[K, U] {
	if f == nil {
		s.fault(fmt.Errorf("timer %q: handler is nil", name))
	}
	if s.timers == nil {
		t, err := state.NewTimers(s.env.Store, s.at, s.id)
		if s.fault(err); err != nil {
			return nil
		}
		s.timers = t
	}
	id, err := s.timers.Register(name, domain)
	s.fault(err)
	s.kinds = append(s.kinds, timerKind[K, U]{domain, f})
	return &Timer[K, U]{setup: s, id: id}
}

// has says whether a timer of the domain is declared.
func (s *Setup[K, U]) has(domain state.TimerDomain) bool {
	for _, k := range s.kinds {
		if k.domain == domain {
			return true
		}
	}
	return false
}

func (s *Setup[K, U]) fault(err error) {
	if err != nil {
		s.faults = append(s.faults, err)
	}
}
