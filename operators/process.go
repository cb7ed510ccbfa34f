package operators

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Setup is where a processor declares its state and timers, once per task before the first record. Its methods are for
// that moment only; what they return is for the handler.
type Setup[K comparable, U any] struct {
	env    *Env
	id     string
	at     *state.At[K]
	timers *state.Timers[K]
	fire   []func(*Context[K, U], time.Time) error // by timer id
	firing bool                                    // handlers of timers run
	late   []lateTimer[K]                          // set meanwhile, and due already
	faults []error
}

// lateTimer is a timer that was set when it was due already, by the handler of another or of itself. Among the timers it would
// be before all others, so a handler that does so each time would keep theirs from running: it waits for the next chance.
type lateTimer[K comparable] struct {
	key  K
	hash uint64
	id   state.TimerID
	atNS int64
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
	id, err := s.timers.Register(name, state.ProcessingTime)
	s.fault(err)
	s.fire = append(s.fire, f)
	return &Timer[K, U]{setup: s, id: id}
}

func (s *Setup[K, U]) fault(err error) {
	if err != nil {
		s.faults = append(s.faults, err)
	}
}

// Timer is a named timer of a processor; Set, Delete and All are about the key in hand.
type Timer[K comparable, U any] struct {
	setup *Setup[K, U]
	id    state.TimerID
}

// Set asks for a call at the given time. Setting the same time twice is setting it once. A time that has passed is a call at the
// next chance: by the handler of a timer, after the others that are due.
func (t *Timer[K, U]) Set(at time.Time) {
	s, ns := t.setup, at.UnixNano()
	if s.firing && ns <= s.env.Clock.NowNS {
		s.drop(t.id, ns)
		s.late = append(s.late, lateTimer[K]{s.at.Key, s.at.Hash, t.id, ns})
		return
	}
	s.timers.Set(t.id, ns)
}

// Delete takes the timer at the given time back, if there is one.
func (t *Timer[K, U]) Delete(at time.Time) {
	t.setup.drop(t.id, at.UnixNano())
	t.setup.timers.Delete(t.id, at.UnixNano())
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

// Handler processes one record with the state and timers of its key. An error fails the job's attempt, which restores.
type Handler[K comparable, T, U any] func(c *Context[K, U], v T) error

// Context is what a handler may know and do. It is valid during the call only.
type Context[K comparable, U any] struct {
	env   *Env
	at    *state.At[K]
	next  func(U)
	sides map[string]any // tag name to func(S)
}

// Key is the key in hand.
func (c *Context[K, U]) Key() K { return c.at.Key }

// Time is the event time of the record in hand, or of the timer that fires.
func (c *Context[K, U]) Time() time.Time { return time.Unix(0, c.env.TimeNS) }

// Now is the engine's processing time: the same for a replay, one reading per batch.
func (c *Context[K, U]) Now() time.Time { return time.Unix(0, c.env.Clock.NowNS) }

// Emit sends v on, with the event time of the record in hand.
func (c *Context[K, U]) Emit(v U) { c.next(v) }

// EmitTo sends v to the side output tag. It is dropped when nothing reads the side output.
func (c *Context[K, U]) EmitTo[S any](tag Tag[S], v S) {
	if f, ok := c.sides[tag.name].(func(S)); ok {
		f(v)
	}
}

// Tag names a side output of records of type S.
type Tag[S any] struct{ name string }

// NewTag makes a tag. Two tags of one name and type are the same.
func NewTag[S any](name string) Tag[S] { return Tag[S]{name} }

// Name is the tag's name.
func (t Tag[S]) Name() string { return t.name }

// Process compiles a processor for one task: setup declares, the handler it returns works. sides holds the compiled side
// outputs that are read.
func Process[K comparable, T, U any](e *Env, id string, key func(T) K, setup func(*Setup[K, U]) Handler[K, T, U], sides map[string]any, next func(U)) (func(T), error) {
	s := &Setup[K, U]{env: e, id: id, at: new(state.At[K])}
	handle := setup(s)
	if handle == nil {
		s.fault(errors.New("the processor's setup returned no handler"))
	}
	if err := errors.Join(s.faults...); err != nil {
		return nil, err
	}
	c := &Context[K, U]{env: e, at: s.at, next: next, sides: sides}
	if s.timers != nil {
		e.AddTimed(&timed[K, U]{env: e, setup: s, context: c})
	}
	return func(v T) {
		s.at.Hash, s.at.Key = e.Hash, key(v)
		if err := handle(c, v); err != nil {
			panic(UserError{Operator: id, Key: fmt.Sprint(s.at.Key), Err: err})
		}
	}, nil
}

// UserError is the panic by which an error of a user's function leaves the record path; the task recovers it in one place.
type UserError struct {
	Operator, Key string
	Err           error
}

func (e UserError) Error() string {
	return fmt.Sprintf("operator %q, key %q: %v", e.Operator, e.Key, e.Err)
}

// Unwrap is the error the function returned.
func (e UserError) Unwrap() error { return e.Err }

// timed fires a processor's timers.
type timed[K comparable, U any] struct {
	env     *Env
	setup   *Setup[K, U]
	context *Context[K, U]
}

// Fire implements Timed.
func (t *timed[K, U]) Fire(limit int) int {
	t.setup.firing = true
	n := 0
	for n < limit && t.fireNext() {
		n++
	}
	t.setup.release()
	return n
}

// fireNext runs the next timer that is due, if there is one.
func (t *timed[K, U]) fireNext() bool {
	k, h, id, at, ok := t.setup.timers.Due(state.ProcessingTime, t.env.Clock.NowNS)
	if !ok {
		return false
	}
	t.setup.at.Key, t.setup.at.Hash = k, h
	t.setup.drop(id, at) // set again before it ran: it is set once
	t.env.Hash, t.env.TimeNS, t.env.Kind = h, at, flow.Insert
	if err := t.setup.fire[id](t.context, time.Unix(0, at)); err != nil {
		panic(UserError{Operator: t.setup.id, Key: fmt.Sprint(k), Err: err})
	}
	return true
}

// NextNS implements Timed.
func (t *timed[K, U]) NextNS() int64 {
	if t.setup.timers == nil {
		return math.MaxInt64
	}
	return t.setup.timers.NextNS(state.ProcessingTime)
}
