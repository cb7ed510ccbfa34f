package operators

import (
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// The stages of a pane.
const (
	closing = iota // its end has come: what was not emitted of its changes is
	ending         // its end and grace have come: it is final, and forgotten
	stages
)

// aligned is the window operator for windows that are the same for all keys: a grid of panes over shared slices.
type aligned[K comparable, T, A, V any] struct {
	timedWindows[K, T]
	id    string
	grid  grid
	key   func(T) K
	hash  func(K) uint64
	add   func(a *A, v T, fresh bool)
	merge merging[A]
	out   paneWriter[K, A, V]

	width, parts int64
	bits         uint // of a slice's number, that do not name its block
	keys         paneStore[K, A]
	stage        [stages]stage[K, A]

	slice        int64 // of the last record's time
	fromNS, toNS int64 // where it begins and ends
	covered      bool  // some pane covers it

	watermarkNS int64
	closed      int64 // the first pane that is not closed
	ended       int64 // the first pane that is not forgotten
	dead        int64 // the first slice of it: what comes before is late
	merged      int64 // the last slice of a pane that is closed: firings may have merged it

	fronts   fronts[A]
	prefetch func(hashes []uint64, at []uintptr) // nil: there is nothing to read ahead
	lines    []uintptr                           // scratch: its second argument
	ahead    int64                               // what lookAhead made of its reads, so that they are not left out
	pane     cell[A]                             // scratch: the one that is emitted
	left     []cell[A]                           // scratch: from slices to the one that a record came to
	right    []cell[A]                           // scratch: from there on
	before   []replacedPane[V]                   // panes before the record in hand
	after    []cell[A]                           // scratch: and behind it
}

// stage is what happens to panes at one time of their life.
type stage[K comparable, A any] struct {
	used  bool
	due   due[K, A]
	after time.Duration // the end of the pane
	dueNS func(p int64) int64
}

// NewAligned compiles a window operator over g for one task and registers it with e. late gets the records whose panes are all
// done; nil: they are counted.
func NewAligned[K comparable, T, A, V any](
	e *Env, id string, g Grid, c WindowConfig, key func(T) K, a Aggregator[T, A, V], late func(T), next func(Pane[K, V]),
) (func(T), error) {
	x, err := newAligned(e, id, g, c, key, a, late, next)
	if err != nil {
		return nil, err
	}
	x.stage[closing] = stage[K, A]{used: x.deferred && (c.Grace > 0 || c.All)}
	x.stage[ending] = stage[K, A]{used: !c.All || c.Finals, after: c.Grace}
	for i := range x.stage {
		s := &x.stage[i]
		s.dueNS = func(p int64) int64 {
			_, endNS := x.grid.pane(p)
			return above(endNS, int64(s.after))
		}
	}
	x.register(x, x.fireChanged)
	return x.process, nil
}

// newAligned makes the operator with its state.
func newAligned[K comparable, T, A, V any](
	e *Env, id string, g Grid, c WindowConfig, key func(T) K, a Aggregator[T, A, V], late func(T), next func(Pane[K, V]),
) (*aligned[K, T, A, V], error) {
	keys, err := codec.KeyOf[K]()
	if err != nil {
		return nil, err
	}
	x := &aligned[K, T, A, V]{
		timedWindows: newTimedWindows[K](e, c, late), id: id, grid: g.grid, key: key, hash: keys.Hash, add: a.Add, merge: a.Merge,
		watermarkNS: flow.NoWatermarkNS,
	}
	x.out = paneWriter[K, A, V]{env: e, grid: g.grid, result: a.Result, next: next}
	x.width, x.parts = x.grid.shape()
	x.keys, x.bits, err = newPaneStore[K, A](e, id, x.width)
	return x, err
}

func (x *aligned[K, T, A, V]) process(v T) {
	if ns := x.env.TimeNS; ns < x.fromNS || ns >= x.toNS {
		x.slice, x.fromNS, x.toNS, x.covered = x.grid.locate(ns)
	}
	if !x.covered {
		x.env.Filtered++
		return
	}
	j := x.slice
	if j < x.dead {
		x.tooLate(v)
		return
	}
	k, hash := x.key(v), x.env.Hash
	s, fresh := x.keys.at(hash, k)
	if x.config.Before {
		x.remember(s, hash, k, j, fresh)
	}
	c := &s.cells[j&int64(len(s.cells)-1)]
	if fresh || c.empty() || j>>x.bits != s.Block {
		c = x.place(s, hash, k, j, fresh)
	}
	x.add(&c.Acc, v, c.empty())
	c.Marks += cellOne
	if j <= x.merged {
		s.Touched++
	}
	if x.config.Changes {
		x.emitChanges(s, hash, k, j, c)
	}
}

// place is the cell of slice j, which may be the first record's of the key, and sees to it that the key has its turn at the panes of j.
func (x *aligned[K, T, A, V]) place(s held[A], hash uint64, k K, j int64, fresh bool) *cell[A] {
	if fresh {
		x.begin(s, j)
		for i := range s.Due {
			s.Due[i] = never
		}
	}
	first, last := x.panesOf(j)
	for i := range x.stage {
		st := &x.stage[i]
		if p := max(first, x.opened(i)); st.used && p <= last && p < s.Due[i] {
			s.Due[i] = p
			st.due.add(p, dueKey[K, A]{hash: hash, key: k}, st.dueNS)
		}
	}
	return x.writing(s, hash, k, j)
}

// panesOf are the first and the last pane that slice j is part of.
func (x *aligned[K, T, A, V]) panesOf(j int64) (first, last int64) {
	first, rest := divide(j-x.width+1, x.parts)
	if rest > 0 {
		first++
	}
	last, _ = divide(j, x.parts)
	return first, last
}

// opened is the first pane that a stage has not passed.
func (x *aligned[K, T, A, V]) opened(stage int) int64 {
	if stage == closing {
		return x.closed
	}
	return x.ended
}
