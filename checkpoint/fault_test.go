package checkpoint_test

import (
	"errors"
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

// TestFoldWhileTheSlotIsTaken folds at the worst moment: the record is written, its slot not taken yet.
func TestFoldWhileTheSlotIsTaken(t *testing.T) {
	for seed := range invariants.Sized[uint64](10, 2) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, want := newMemStore(), model{}
		l := begin(t, options(s))
		s.before = func(op, name string) error {
			if op == "create" && strings.HasPrefix(name, "slot-") {
				return errors.Join(l.Fold(t.Context()), l.Fold(t.Context()))
			}
			return nil
		}
		var before []string // what the epoch before needs stays for one more epoch
		for e := flow.Epoch(1); e < 60; e++ {
			blocks := change(r, 20, 100)
			complete(t, l, e, blocks)
			want.add(t, blocks)
			if err := l.Fold(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept := append(before, l.Kept()...)
			before = l.Needed()
			for _, name := range kept {
				if !slices.Contains(s.names(), name) {
					t.Fatalf("seed %d, epoch %d: %s was deleted", seed, e, name)
				}
			}
			if got := restore(t, begin(t, options(s.clone()))); !maps.Equal(got, want) {
				t.Fatalf("seed %d, epoch %d: %d entries, want %d", seed, e, len(got), len(want))
			}
		}
		if l.Stats().Folds == 0 {
			t.Fatalf("seed %d: nothing was folded", seed)
		}
	}
}

// TestRunOfARecordBeingWrittenIsKept lets the second merge of a Fold replace the run its first made after a record that
// names this run was written, and before the record had its slot.
func TestRunOfARecordBeingWrittenIsKept(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	s, want, met := newMemStore(), model{}, 0
	l := begin(t, options(s))
	step := func(e flow.Epoch) {
		blocks := change(r, 20, 100)
		complete(t, l, e, blocks)
		want.add(t, blocks)
	}
	for e := flow.Epoch(1); e < 100; e += 2 {
		step(e)
		second, release, done := make(chan bool), make(chan bool), make(chan error, 1)
		merges := 0 // of this Fold, on its goroutine
		s.before = func(op, name string) error {
			if op != "create" || strings.HasPrefix(name, "slot-") || strings.Contains(name, "-a1-") {
				return nil
			}
			if merges++; merges == 2 {
				close(second)
				<-release
			}
			return nil
		}
		go func() { done <- l.Fold(t.Context()) }()
		select {
		case <-second:
			met++
			var err error
			s.beforeSlot = func() { close(release); err = <-done }
			step(e + 1)
			if s.beforeSlot = nil; err != nil {
				t.Fatal(err)
			}
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			s.before = nil
			step(e + 1)
		}
		s.before = nil
		if got := restore(t, begin(t, options(s.clone()))); !maps.Equal(got, want) {
			t.Fatalf("epoch %d: %d entries, want %d", e+1, len(got), len(want))
		}
	}
	if met == 0 {
		t.Fatal("no Fold merged twice")
	}
}

func (m model) add(t *testing.T, blocks []delta.Block) {
	t.Helper()
	for _, b := range blocks {
		if err := m.apply(b); err != nil {
			t.Fatal(err)
		}
	}
}

// faultTest runs a job over a store on which any operation may fail, before or after its work was done, and restores
// from what a crash leaves at every moment.
type faultTest struct {
	t        *testing.T
	r        *rand.Rand
	seed     uint64
	s        *memStore
	l        *checkpoint.Log
	states   map[flow.Epoch]model
	complete flow.Epoch
	tried    flow.Epoch
	pending  []delta.Block // of epochs that were not completed: the next has them too
}

func (f *faultTest) maybe(_, _ string) error {
	if f.r.IntN(12) == 0 {
		return errInjected
	}
	return nil
}

// crash restores from copies.
func (f *faultTest) crash() {
	for what, s := range map[string]*memStore{"stop": f.s.clone(), "power cut": f.s.powerCut()} {
		l, err := checkpoint.Open(f.t.Context(), options(s))
		if err == nil {
			_, err = l.Begin(f.t.Context())
		}
		if err != nil {
			f.t.Fatalf("seed %d, %s with epoch %d complete: %v", f.seed, what, f.complete, err)
		}
		e, _ := l.Newest()
		if e.Number < f.complete || e.Number > f.tried {
			f.t.Fatalf("seed %d, %s: epoch %d restored, %d was complete, %d tried", f.seed, what, e.Number, f.complete, f.tried)
		}
		if got := restore(f.t, l); !maps.Equal(got, f.states[e.Number]) {
			f.t.Fatalf("seed %d, %s: state of epoch %d differs", f.seed, what, e.Number)
		}
	}
}

func (f *faultTest) epoch() {
	state := maps.Clone(f.states[f.tried])
	blocks := change(f.r, f.r.IntN(15), 60)
	state.add(f.t, blocks)
	f.pending = append(f.pending, blocks...)
	f.tried++
	f.states[f.tried] = state
	switch err := f.l.Complete(f.t.Context(), f.tried, f.pending, nil); {
	case err == nil:
		f.complete, f.pending = f.tried, nil
		if f.r.IntN(2) == 0 {
			if err := f.l.MoveHead(f.t.Context()); err != nil && !errors.Is(err, errInjected) {
				f.t.Fatalf("seed %d: %v", f.seed, err)
			}
		}
	case !errors.Is(err, errInjected):
		f.t.Fatalf("seed %d: %v", f.seed, err)
	case f.r.IntN(2) == 0:
		f.restart()
	}
	if err := f.l.Fold(f.t.Context()); err != nil && !errors.Is(err, errInjected) {
		f.t.Fatalf("seed %d: %v", f.seed, err)
	}
}

// restart is what the engine does after a failure, until it succeeds; in the same process or a new one.
func (f *faultTest) restart() {
	for {
		if f.r.IntN(2) == 0 {
			l, err := checkpoint.Open(f.t.Context(), anyBound(f.r, options(f.s)))
			if err != nil {
				f.t.Fatalf("seed %d: %v", f.seed, err)
			}
			f.l = l
		}
		_, err := f.l.Begin(f.t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, errInjected) {
			f.t.Fatalf("seed %d: %v", f.seed, err)
		}
	}
	e, _ := f.l.Newest()
	if got := restore(f.t, f.l); e.Number < f.complete || !maps.Equal(got, f.states[e.Number]) {
		f.t.Fatalf("seed %d: epoch %d after a restart, %d was complete, or its state differs", f.seed, e.Number, f.complete)
	}
	f.complete, f.tried, f.pending = e.Number, e.Number, nil
}

func TestRandomFaults(t *testing.T) {
	for seed := range invariants.Sized[uint64](8, 2) {
		f := &faultTest{t: t, r: rand.New(rand.NewPCG(seed, 3)), seed: seed, s: newMemStore(), states: map[flow.Epoch]model{0: {}}}
		l, err := checkpoint.Open(t.Context(), options(f.s))
		if err != nil {
			t.Fatal(err)
		}
		f.l = l
		f.s.before = func(op, name string) error { f.crash(); return f.maybe(op, name) }
		f.s.after = f.maybe
		f.restart()
		for range 25 {
			f.epoch()
		}
		f.crash()
	}
}
