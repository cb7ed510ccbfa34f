package checkpoint_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/invariants"
)

// retained is what must be there, by a model that knows nothing of how the log collects garbage: the slots of the newest epochs, as
// the store has them, with the state of each.
type retained struct {
	t      *testing.T
	seed   uint64
	r      *rand.Rand
	s      *memStore
	retain int // of the log that is open
	keep   int // so many of the newest epochs in the store must be kept: fewer than retain after it was raised
	log    *checkpoint.Log
	states map[flow.Epoch]model // that an epoch of this number has, when it is complete
	state  model
	next   flow.Epoch
}

// epochs gives the slots of the newest epochs in the store that must be kept, newest first.
func (m *retained) epochs() (slots []string) {
	names := m.s.names()
	for _, name := range slices.Backward(names) {
		if !strings.HasPrefix(name, "slot-") || len(slots) == m.keep {
			continue
		}
		if _, _, _, ok := checkpoint.EpochRecord(m.s.objects[name]); ok {
			slots = append(slots, name)
		}
	}
	return slots
}

// mayDelete complains when a file is deleted that an epoch needs which must be kept.
func (m *retained) mayDelete(name string) {
	for _, slot := range m.epochs() {
		_, e, runs, _ := checkpoint.EpochRecord(m.s.objects[slot])
		if slot == name || slices.Contains(runs, name) {
			m.t.Fatalf("seed %d: %s is deleted, which epoch %d needs", m.seed, name, e)
		}
	}
}

// check reads every epoch that must be kept.
func (m *retained) check(what string) {
	slots := m.epochs()
	if len(slots) != m.keep {
		m.t.Fatalf("seed %d, %s: %d epochs are kept, want %d", m.seed, what, len(slots), m.keep)
	}
	for _, slot := range slots {
		_, e, _, _ := checkpoint.EpochRecord(m.s.objects[slot])
		got := model{}
		if err := checkpoint.ReadEpoch(m.t.Context(), m.s, m.s.objects[slot], got.apply); err != nil {
			m.t.Fatalf("seed %d, %s: epoch %d cannot be read: %v", m.seed, what, e, err)
		}
		if !maps.Equal(got, m.states[e]) {
			m.t.Fatalf("seed %d, %s: epoch %d has %d entries, want %d, or other values", m.seed, what, e, len(got), len(m.states[e]))
		}
	}
}

// reopen crashes the run and starts another, with another number of epochs to be kept: of what was not kept before, none is asked for.
func (m *retained) reopen() {
	m.s = m.s.clone()
	o := anyBound(m.r, options(m.s))
	m.retain, o.FoldRuns = 1+m.r.IntN(6), 2+m.r.IntN(3)
	o.Retain, m.keep = m.retain, min(m.keep, m.retain)
	m.s.before = func(op, name string) error {
		if op == "delete" {
			m.mayDelete(name)
		}
		if op == "delete" && m.r.IntN(3) == 0 || op == "create" && m.r.IntN(20) == 0 {
			return errInjected
		}
		return nil
	}
	m.s.after = func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, "slot-") && m.r.IntN(6) == 0 {
			return errInjected
		}
		return nil
	}
	var err error
	if m.log, err = checkpoint.Open(m.t.Context(), o); err != nil {
		m.t.Fatalf("seed %d: %v", m.seed, err)
	}
	for {
		if _, err = m.log.Begin(m.t.Context()); err == nil {
			break
		}
	}
	m.state = model{}
	if err := m.log.Restore(m.t.Context(), m.state.apply); err != nil {
		m.t.Fatalf("seed %d: %v", m.seed, err)
	}
}

// complete tries one epoch; one that does not succeed is carried over into the next, as the engine does.
func (m *retained) complete() {
	var carried []delta.Block
	for {
		carried = append(carried, change(m.r, m.r.IntN(30), 60)...)
		after := maps.Clone(m.state)
		for _, b := range carried {
			if err := after.apply(b); err != nil {
				m.t.Fatal(err)
			}
		}
		m.next++
		m.states[m.next] = after
		before := m.count()
		err := m.log.Complete(m.t.Context(), m.next, carried, nil)
		m.keep = min(m.keep+m.count()-before, m.retain) // also one that is there although an error was returned
		if err == nil {
			m.state = after
			if m.r.IntN(2) == 0 {
				_ = m.log.MoveHead(m.t.Context())
			}
			return
		}
		m.fold(fmt.Sprintf("fold behind epoch %d, of which nobody knows", m.next))
	}
}

// count is the number of epochs in the store, those that are garbage included.
func (m *retained) count() (n int) {
	for _, data := range m.s.objects {
		if _, _, _, ok := checkpoint.EpochRecord(data); ok {
			n++
		}
	}
	return n
}

func (m *retained) fold(what string) {
	_ = m.log.Fold(m.t.Context()) // it leaves everything as it was
	m.check(what)
}

// No step of the garbage collection removes what an epoch needs that is kept, whatever errors the store gives, and none of its own errors
// reaches an epoch.
func TestGarbageCollectionKeepsEveryRetainedEpoch(t *testing.T) {
	seeds, steps := invariants.Sized[uint64](12, 2), 80
	if testing.Short() {
		seeds = min(seeds, 3)
	}
	for seed := range seeds {
		m := &retained{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 77)), s: newMemStore(), states: map[flow.Epoch]model{}}
		m.reopen()
		for step := range steps {
			what := fmt.Sprintf("step %d", step)
			switch m.r.IntN(8) {
			case 0:
				m.reopen()
			case 1, 2:
				m.fold(what)
			default:
				m.complete()
			}
			m.check(what)
		}
	}
}
