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

func put(key, value string) []delta.Block {
	return []delta.Block{{Operator: "count", State: "n", Group: 1, Count: 1, Data: delta.AppendPut(nil, []byte(key), []byte(value))}}
}

func TestNewLineageHasNoEpoch(t *testing.T) {
	l := begin(t, options(newMemStore()))
	if _, ok := l.Newest(); ok {
		t.Fatal("a new lineage has an epoch")
	}
	equal(t, "empty", restore(t, l), model{})
}

func TestOpenTakesNothing(t *testing.T) {
	s := newMemStore()
	if _, err := checkpoint.Open(t.Context(), options(s)); err != nil {
		t.Fatal(err)
	}
	if n := s.names(); len(n) != 0 {
		t.Fatalf("open left %q", n)
	}
}

func TestEpochsComeBack(t *testing.T) {
	s := newMemStore()
	l := begin(t, options(s))
	complete(t, l, 1, put("a", "1"))
	complete(t, l, 2, put("b", "2"))
	complete(t, l, 5, nil)

	o := options(s)
	o.KeyGroups = 64 // only for a new lineage
	again, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := again.Newest()
	if !ok || e.Number != 5 || e.Attempt != 1 || string(e.Meta) != "meta" {
		t.Fatalf("newest is %+v, %t", e, ok)
	}
	if again.Lineage() != l.Lineage() || again.KeyGroups() != testGroups {
		t.Fatalf("lineage %q with %d key groups, want %q with %d", again.Lineage(), again.KeyGroups(), l.Lineage(), testGroups)
	}
	if a, err := again.Begin(t.Context()); err != nil || a != 2 {
		t.Fatalf("attempt %d, %v; want 2", a, err)
	}
	equal(t, "reopened", restore(t, again), model{"count/n/1/a": "1", "count/n/1/b": "2"})
}

func complete(t testing.TB, l *checkpoint.Log, e flow.Epoch, blocks []delta.Block) {
	t.Helper()
	if err := l.Complete(t.Context(), e, blocks, []byte("meta")); err != nil {
		t.Fatalf("complete epoch %d: %v", e, err)
	}
}

func TestCompleteRefusesWhatCannotBeRestored(t *testing.T) {
	l := begin(t, options(newMemStore()))
	complete(t, l, 3, put("a", "1"))
	bad := []struct {
		epoch  flow.Epoch
		change func(*delta.Block)
		want   string
	}{
		{3, func(*delta.Block) {}, "only grow"},
		{4, func(b *delta.Block) { b.Count = 2 }, "1 entries, the block says 2"},
		{4, func(b *delta.Block) { b.Data = b.Data[:2] }, "damaged"},
		{4, func(b *delta.Block) { b.Group = testGroups }, "key group 8 of 8"},
	}
	for _, c := range bad {
		b := put("a", "1")
		c.change(&b[0])
		if err := l.Complete(t.Context(), c.epoch, b, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
	complete(t, l, 4, put("b", "2"))
}

func TestSecondRunTakesTheSlot(t *testing.T) {
	s := newMemStore()
	old := begin(t, options(s))
	complete(t, old, 1, put("a", "1"))
	moveHead(t, old)
	begin(t, options(s))
	for range 2 { // and again: it is final
		if err := old.Complete(t.Context(), 2, put("a", "2"), nil); !errors.Is(err, checkpoint.ErrTaken) {
			t.Fatalf("complete after another run began: %v", err)
		}
	}
	if _, err := old.Begin(t.Context()); !errors.Is(err, checkpoint.ErrTaken) {
		t.Fatalf("begin: %v", err)
	}
}

func TestTwoFirstRuns(t *testing.T) {
	s := newMemStore()
	a, errA := checkpoint.Open(t.Context(), options(s))
	b, errB := checkpoint.Open(t.Context(), options(s))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(t.Context()); !errors.Is(err, checkpoint.ErrTaken) {
		t.Fatalf("both began: %v", err)
	}
}

// A newer run goes on and deletes the slot that the old one is about to take: before it starts to, or when its record is written already.
func TestSlotThatWasDeletedIsFenced(t *testing.T) {
	for _, moved := range []bool{false, true} {
		for _, during := range []bool{false, true} {
			s := newMemStore()
			old := begin(t, options(s))
			complete(t, old, 1, put("a", "1"))
			if moved {
				moveHead(t, old)
			}
			overtake := func() {
				s.beforeSlot = nil
				newer := begin(t, options(s))
				for e := flow.Epoch(2); e < 8; e++ {
					complete(t, newer, e, put("a", "2"))
					if err := newer.Fold(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if slices.Contains(s.names(), "slot-000000000003") {
					t.Fatalf("the slot is not deleted: %q", s.names())
				}
			}
			if s.beforeSlot = overtake; !during {
				overtake()
			}
			if err := old.Complete(t.Context(), 2, put("a", "9"), nil); !errors.Is(err, checkpoint.ErrFenced) {
				t.Fatalf("moved %t, during %t: complete in a slot long deleted: %v", moved, during, err)
			}
			if e, _ := old.Newest(); e.Number != 1 {
				t.Fatalf("moved %t, during %t: it believes in epoch %d", moved, during, e.Number)
			}
			equal(t, "newer run", restore(t, begin(t, options(s))), model{"count/n/1/a": "2"})
		}
	}
}

func moveHead(t testing.TB, l *checkpoint.Log) {
	t.Helper()
	if err := l.MoveHead(t.Context()); err != nil {
		t.Fatalf("move the head: %v", err)
	}
}

func TestUncertainSlotIsAdopted(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newMemStore()
		l := begin(t, options(s))
		complete(t, l, 1, put("a", "1"))
		s.after = func(op, name string) error {
			if op == "create" && !strings.HasPrefix(name, "run-") {
				return errInjected
			}
			return nil
		}
		if err := l.Complete(t.Context(), 2, put("b", "2"), nil); !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
		s.after = nil
		if restart {
			if a, err := l.Begin(t.Context()); err != nil || a != 2 {
				t.Fatalf("attempt %d, %v", a, err)
			}
			if e, _ := l.Newest(); e.Number != 2 {
				t.Fatalf("newest epoch is %d: epoch 2 has its slot", e.Number)
			}
		}
		complete(t, l, 3, put("c", "3"))
		equal(t, "adopted", restore(t, begin(t, options(s))), model{"count/n/1/a": "1", "count/n/1/b": "2", "count/n/1/c": "3"})
	}
}

func TestFailedSlotLeavesNoGarbage(t *testing.T) {
	s := newMemStore()
	l := begin(t, files(options(s)))
	s.before = func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, "slot-") {
			return errInjected
		}
		return nil
	}
	for e := flow.Epoch(1); e < 4; e++ {
		if err := l.Complete(t.Context(), e, put("a", "1"), nil); !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
	}
	s.before = nil
	complete(t, l, 4, put("b", "2"))
	if err := l.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs := count(s, "run-"); runs != 1 {
		t.Fatalf("%d runs, want 1: %q", runs, s.names())
	}
	equal(t, "after failures", restore(t, begin(t, options(s))), model{"count/n/1/b": "2"})
}

func count(s *memStore, prefix string) (n int) {
	for _, name := range s.names() {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func TestBeginRemovesLeftovers(t *testing.T) {
	s := newMemStore()
	l := begin(t, files(options(s)))
	complete(t, l, 1, put("a", "1"))
	s.objects["run-99-a1-dead-1"] = []byte("a segment whose slot was never taken")
	begin(t, options(s))
	if runs := count(s, "run-"); runs != 1 {
		t.Fatalf("%q left", s.names())
	}
}

func TestGarbageErrorStopsNothing(t *testing.T) {
	s := newMemStore()
	s.before = func(op, name string) error {
		if op == "delete" {
			return errInjected
		}
		return nil
	}
	l := begin(t, options(s))
	for e := flow.Epoch(1); e < 20; e++ {
		complete(t, l, e, put("a", "1"))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := l.Stats(); st.GarbageErrors == 0 || st.GarbageFiles == 0 {
		t.Fatalf("%+v", st)
	}
	s.before = nil
	if err := l.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if slots := count(s, "slot-"); slots != 2 {
		t.Fatalf("%d slots left, want 2: %q", slots, s.names())
	}
}

func TestOtherPlanIsRefused(t *testing.T) {
	s := newMemStore()
	complete(t, begin(t, options(s)), 1, put("a", "1"))
	renamed, retyped, rewired := testPlan, testPlan, testPlan
	renamed.Operators = []string{"cuont", "lines", "out"}
	retyped.Schemas = append([]delta.Schema{{Operator: "count", State: "n", Key: `"string"`, Value: `"int"`}}, testPlan.Schemas[1:]...)
	rewired.Hash = "p2"
	for want, plan := range map[string]checkpoint.Plan{
		`checkpoint of job "wordcount" has operator "count", which the topology does not have; the topology has operator "cuont"`: renamed,
		`operator "count": state "n" was written as "long", the topology wants "int"`:                                             retyped,
		`the plan's hash was "p1" and is "p2"`: rewired,
	} {
		o := options(s)
		o.Plan = plan
		if _, err := checkpoint.Open(t.Context(), o); !errors.Is(err, checkpoint.ErrPlan) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	o := options(s)
	o.Job = "other"
	if _, err := checkpoint.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), `of job "wordcount"`) {
		t.Errorf("another job: %v", err)
	}
}

func TestRandomEpochsFoldsAndRestarts(t *testing.T) {
	for seed := range invariants.Sized[uint64](8, 2) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newMemStore()
		l := begin(t, anyBound(r, options(s)))
		want := model{}
		for e := flow.Epoch(1); e < 60; e++ {
			blocks := change(r, r.IntN(150), 120)
			complete(t, l, e, blocks)
			for _, b := range blocks {
				if err := want.apply(b); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(2) == 0 {
				if err := l.Fold(t.Context()); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if r.IntN(10) == 0 {
				l = begin(t, anyBound(r, options(s)))
			}
			crashed := begin(t, options(s.clone())) // fails when anything it names was deleted
			got := restore(t, crashed)
			if !maps.Equal(got, want) {
				t.Fatalf("seed %d, epoch %d: %d entries, want %d", seed, e, len(got), len(want))
			}
		}
		if st := l.Stats(); st.Runs > 12 {
			t.Errorf("seed %d: %d runs", seed, st.Runs)
		}
	}
}
