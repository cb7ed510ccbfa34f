package operators

import (
	"fmt"
	"iter"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Starter is an operator with something to do before the task takes its first input.
type Starter interface {
	// Start does about n pieces of it and says whether there is more.
	Start(n int) (more bool)
}

// initial is the rows a processor begins with.
type initial[K comparable, U any] struct {
	// rows hands each row of the table over, until told to stop.
	rows func(yield func(k K, apply func(*Context[K, U]) error) bool)
}

// Initial hands f each row of a table before the first record, with the key and state of the row: once per lineage, never again
// after a restore. f may set state and timers and emit. rows must give the same rows in the same order each time.
func (s *Setup[K, U]) Initial[V any](rows iter.Seq2[K, V], f func(*Context[K, U], V) error) {
	if rows == nil || f == nil {
		s.fault(fmt.Errorf("initial state: rows or func is nil"))
		return
	}
	s.first = append(s.first, initial[K, U]{func(yield func(K, func(*Context[K, U]) error) bool) {
		for k, v := range rows {
			if !yield(k, func(c *Context[K, U]) error { return f(c, v) }) {
				return
			}
		}
	}})
}

// starter applies a processor's initial state to the key groups that have not had it.
type starter[K comparable, U any] struct {
	p       *Processor[K, U]
	hash    func(K) uint64
	begun   *state.Table[uint32, bool] // an entry in each key group that has had it
	started bool
	open    []bool           // by key group: still to be given its rows
	rows    []startRow[K, U] // of this task's keys, still to be applied
}

type startRow[K comparable, U any] struct {
	key   K
	hash  uint64
	apply func(*Context[K, U]) error
}

// begin registers what is to be done before the first record.
func (p *Processor[K, U]) begin() error {
	if len(p.setup.first) == 0 {
		return nil
	}
	key, err := codec.KeyOf[K]()
	if err != nil {
		return err
	}
	begun, err := state.NewTable[uint32, bool](p.setup.env.Store, p.setup.id, "initial-state-applied")
	if err != nil {
		return err
	}
	p.setup.env.AddStarter(&starter[K, U]{p: p, hash: key.Hash, begun: begun})
	return nil
}

// Start implements Starter.
func (s *starter[K, U]) Start(n int) (more bool) {
	if !s.started {
		s.started = true
		if s.mark() {
			s.collect()
		}
	}
	n = min(n, len(s.rows))
	for _, r := range s.rows[:n] {
		s.apply(r.key, r.hash, r.apply)
	}
	s.rows = s.rows[n:]
	return len(s.rows) > 0
}

// collect picks the rows of this task's keys.
func (s *starter[K, U]) collect() {
	for _, t := range s.p.setup.first {
		t.rows(func(k K, apply func(*Context[K, U]) error) bool {
			h := s.hash(k)
			if s.open[flow.GroupOf(h, len(s.open))] {
				s.rows = append(s.rows, startRow[K, U]{k, h, apply})
			}
			return true
		})
	}
}

func (s *starter[K, U]) apply(k K, h uint64, f func(*Context[K, U]) error) {
	e, at := s.p.setup.env, s.p.setup.at
	at.Key, at.Hash = k, h
	e.Hash, e.TimeNS, e.Kind = h, e.Clock.NowNS, flow.Insert
	if err := f(s.p.context); err != nil {
		panic(UserError{Operator: s.p.setup.id, Key: fmt.Sprint(k), Err: fmt.Errorf("initial state: %w", err)})
	}
}

// mark notes which of the task's key groups are given their rows now, and says whether there are any. The note of a group is an
// entry whose key falls into it.
func (s *starter[K, U]) mark() (any bool) {
	groups := s.p.setup.env.Store.KeyGroups()
	own := s.p.setup.env.Store.Groups()
	s.open = make([]bool, groups)
	key, err := codec.KeyOf[uint32]()
	if err != nil {
		panic(state.Failure{Err: err})
	}
	left := own.Len()
	noted := make([]bool, groups)
	for k := uint32(0); left > 0; k++ {
		h := key.Hash(k)
		g := flow.GroupOf(h, groups)
		if noted[g] || !own.Contains(g) {
			continue
		}
		noted[g], left = true, left-1
		if v, fresh := s.begun.AtNew(h, k); fresh {
			*v, s.open[g], any = true, true, true
		}
	}
	return any
}
