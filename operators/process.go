package operators

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Processor is a processor in the making: declared, and bound to one task.
type Processor[K comparable, U any] struct {
	setup   *Setup[K, U]
	context *Context[K, U]
}

// NewProcessor prepares a processor for one task. sides holds the compiled side outputs that are read.
func NewProcessor[K comparable, U any](e *Env, id string, sides map[string]any, next func(U)) *Processor[K, U] {
	at := new(state.At[K])
	return &Processor[K, U]{&Setup[K, U]{env: e, id: id, at: at}, &Context[K, U]{env: e, at: at, next: next, sides: sides}}
}

// Declare runs the processor's setup: what it declares is then bound to the task. isNil says that it gave no handler.
func (p *Processor[K, U]) Declare(setup func(*Setup[K, U]) (isNil bool)) error {
	if setup(p.setup) {
		p.setup.fault(errors.New("the processor's setup returned no handler"))
	}
	if err := errors.Join(p.setup.faults...); err != nil {
		return err
	}
	e, t := p.setup.env, &timed[K, U]{p.setup, p.context}
	if p.setup.has(state.ProcessingTime) {
		e.AddTimed(t)
	}
	if p.setup.has(state.EventTime) {
		e.AddEventTimed(t)
	}
	return p.begin()
}

// Handle makes the step that gives each record to the processor's handler, with the state of its key.
func Handle[K comparable, T, U any](p *Processor[K, U], key func(T) K, handle Handler[K, T, U]) func(T) {
	s, c, e := p.setup, p.context, p.setup.env
	return func(v T) {
		s.at.Hash, s.at.Key = e.Hash, key(v)
		if err := handle(c, v); err != nil {
			panic(UserError{Operator: s.id, Key: fmt.Sprint(s.at.Key), Err: err})
		}
	}
}

// Process compiles a processor for one task: setup declares, the handler it returns works.
func Process[K comparable, T, U any](e *Env, id string, key func(T) K, setup func(*Setup[K, U]) Handler[K, T, U], sides map[string]any, next func(U)) (func(T), error) {
	return process(NewProcessor[K](e, id, sides, next), key, setup)
}

func process[K comparable, T, U any](p *Processor[K, U], key func(T) K, setup func(*Setup[K, U]) Handler[K, T, U]) (func(T), error) {
	var handle Handler[K, T, U]
	err := p.Declare(func(s *Setup[K, U]) bool {
		handle = setup(s)
		return handle == nil
	})
	if err != nil {
		return nil, err
	}
	return Handle(p, key, handle), nil
}

// ProcessTable compiles a processor that keeps a row per key: what it emits replaces the row, Withdraw deletes it. before asks for
// the value that a row replaces.
func ProcessTable[K comparable, T, V any](e *Env, id string, before bool, key func(T) K, setup func(*Setup[K, V]) Handler[K, T, V], sides map[string]any, next func(Pair[K, V])) (func(T), error) {
	rows, err := accumulators[K, V](e, id)
	if err != nil {
		return nil, err
	}
	p := NewProcessor[K](e, id, sides, func(V) {})
	at := p.setup.at
	p.context.next = func(v V) {
		row, fresh := rows.AtNew(at.Hash, at.Key)
		old := *row
		*row = v
		change(e, next, at.Key, old, v, before && !fresh)
	}
	p.context.withdraw = func() {
		row, ok := rows.Get(at.Hash, at.Key)
		if !ok {
			return
		}
		last := *row
		rows.Delete(at.Hash, at.Key)
		kind := e.Kind
		e.Kind = flow.Delete
		next(Pair[K, V]{at.Key, last})
		e.Kind = kind
	}
	return process(p, key, setup)
}

// NeedsEventTime says whether a processor declares an event-time timer, by declaring it for nobody.
func NeedsEventTime[K comparable, U any](id string, setup func(*Setup[K, U])) bool {
	e := &Env{Clock: new(state.Clock)}
	e.Store = state.NewStore(state.Options{Groups: flow.RangeOf(0, flow.DefaultKeyGroups, 1), Clock: e.Clock, Volatile: true})
	p := NewProcessor[K](e, id, nil, func(U) {})
	setup(p.setup)
	return p.setup.has(state.EventTime)
}

// UserError is the panic by which an error of a user's function leaves the record path; the task recovers it in one place.
type UserError struct {
	Operator, Key string
	Err           error
}

func (e UserError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("operator %q: %v", e.Operator, e.Err)
	}
	return fmt.Sprintf("operator %q, key %q: %v", e.Operator, e.Key, e.Err)
}

// Unwrap is the error the function returned.
func (e UserError) Unwrap() error { return e.Err }
