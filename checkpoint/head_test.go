package checkpoint_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
)

// An epoch is complete with its slot; the head follows when it is asked to, and no later than before the next slot.
func TestHeadFollowsTheRecord(t *testing.T) {
	s := newMemStore()
	l := begin(t, options(s))
	var changes []string
	s.before = func(op, name string) error { changes = append(changes, op+" "+name); return nil }
	want := func(what string, ops ...string) {
		t.Helper()
		if !slices.Equal(changes, ops) {
			t.Fatalf("%s: %q, want %q", what, changes, ops)
		}
		changes = nil
	}
	complete(t, l, 1, put("a", "1"))
	want("an epoch", "create slot-000000000002")
	moveHead(t, l)
	want("the head", "replace head")
	moveHead(t, l)
	want("the head again")
	complete(t, l, 2, put("b", "2"))
	complete(t, l, 3, put("c", "3"))
	want("two epochs", "create slot-000000000003", "replace head", "create slot-000000000004")
	all := model{"count/n/1/a": "1", "count/n/1/b": "2", "count/n/1/c": "3"}
	for what, crashed := range map[string]*memStore{"stop": s.clone(), "power cut": s.powerCut()} {
		equal(t, what+" before the head is moved", restore(t, begin(t, options(crashed))), all)
	}
	if _, err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("a restart", "replace head", "create slot-000000000005", "replace head")
}

// A head that cannot be moved takes nothing back. The next epoch has the error, and none when it can be moved by then.
func TestHeadThatCannotBeMoved(t *testing.T) {
	for _, done := range []bool{false, true} {
		s := newMemStore()
		l := begin(t, options(s))
		complete(t, l, 1, put("a", "1"))
		fail := func(op, _ string) error {
			if op == "replace" {
				return errInjected
			}
			return nil
		}
		if s.before = fail; done {
			s.before, s.after = nil, fail
		}
		if err := l.MoveHead(t.Context()); !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
		if e, _ := l.Newest(); e.Number != 1 {
			t.Fatalf("epoch %d is the newest", e.Number)
		}
		equal(t, "crashed", restore(t, begin(t, options(s.clone()))), model{"count/n/1/a": "1"})
		if err := l.Complete(t.Context(), 2, put("b", "2"), nil); !done && !errors.Is(err, errInjected) || done && err != nil {
			t.Fatal(err)
		}
		s.before, s.after = nil, nil
		complete(t, l, 3, put("b", "2"))
		equal(t, "gone on", restore(t, begin(t, options(s))), model{"count/n/1/a": "1", "count/n/1/b": "2"})
	}
}

// A newer run that goes on from a record before its head was moved is no damage, and ends the old one.
func TestHeadMovedByANewerRun(t *testing.T) {
	s := newMemStore()
	old := begin(t, options(s))
	complete(t, old, 1, put("a", "1"))
	newer := begin(t, options(s))
	if e, _ := newer.Newest(); e.Number != 1 {
		t.Fatalf("epoch %d is the newest", e.Number)
	}
	for range 2 {
		if err := old.MoveHead(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
			t.Fatalf("move the head: %v", err)
		}
	}
	if err := old.Complete(t.Context(), 2, put("a", "9"), nil); !errors.Is(err, checkpoint.ErrFenced) {
		t.Fatalf("complete: %v", err)
	}
	complete(t, newer, 2, put("b", "2"))
	equal(t, "newer run", restore(t, begin(t, options(s))), model{"count/n/1/a": "1", "count/n/1/b": "2"})
}

// A run that is overtaken while it sweeps deletes nothing that the newer run has written since.
func TestSweepOfAnOvertakenRun(t *testing.T) {
	s := newMemStore()
	first := begin(t, options(s))
	complete(t, first, 1, put("a", "1"))
	moveHead(t, first)
	old, err := checkpoint.Open(t.Context(), options(s))
	if err != nil {
		t.Fatal(err)
	}
	s.after = func(op, _ string) error {
		if op == "replace" { // the old run has its slot, and has not swept
			s.after = nil
			complete(t, begin(t, files(options(s))), 2, put("b", "2"))
		}
		return nil
	}
	if _, err := old.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "newer run", restore(t, begin(t, options(s))), model{"count/n/1/a": "1", "count/n/1/b": "2"})
}
