package checkpoint_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// A segment up to the bound takes its slot and nothing else.
func TestSmallSegmentsAreInline(t *testing.T) {
	s := newMemStore()
	o := options(s)
	o.InlineBytes = 200
	l := begin(t, o)
	var created []string
	s.before = func(op, name string) error {
		if op == "create" {
			created = append(created, name)
		}
		return nil
	}
	complete(t, l, 1, put("a", strings.Repeat("x", 100)))
	if !slices.Equal(created, []string{"slot-000000000002"}) {
		t.Fatalf("a small epoch made %q", created)
	}
	created = nil
	complete(t, l, 2, put("b", strings.Repeat("x", 300)))
	if len(created) != 2 || !strings.HasPrefix(created[0], "run-") || created[1] != "slot-000000000003" {
		t.Fatalf("a larger epoch made %q", created)
	}
	equal(t, "both", restore(t, begin(t, options(s))), model{
		"count/n/1/a": strings.Repeat("x", 100), "count/n/1/b": strings.Repeat("x", 300),
	})
}

// A slot with an inline run stays as long as a record that is kept names the run, and no longer.
func TestSlotStaysAsLongAsItsRunIsNamed(t *testing.T) {
	s := newMemStore()
	o := options(s)
	o.FoldRuns = 10
	l := begin(t, o)
	want := model{}
	for e := flow.Epoch(1); e <= 6; e++ {
		blocks := put(string(rune('a'+e)), strings.Repeat("v", 10))
		if e == 1 {
			blocks = put("base", strings.Repeat("v", 5000))
		}
		complete(t, l, e, blocks)
		want.add(t, blocks)
		if err := l.Fold(t.Context()); err != nil { // garbage goes; nothing is due
			t.Fatal(err)
		}
	}
	if st := l.Stats(); st.Folds != 0 || count(s, "slot-") != 6 || count(s, "run-") != 0 {
		t.Fatalf("%+v, files %q", st, s.names())
	}
	equal(t, "six inline runs", restore(t, begin(t, options(s.clone()))), want)
	for e := flow.Epoch(7); e <= 20; e++ {
		complete(t, l, e, put("z", "1"))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want["count/n/1/z"] = "1"
	for range 2 {
		e, _ := l.Newest()
		complete(t, l, e.Number+1, nil)
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := l.Stats(); st.Folds == 0 || count(s, "slot-") > 2+st.Runs ||
		!slices.Contains(s.names(), "slot-000000000002") || slices.Contains(s.names(), "slot-000000000003") {
		t.Fatalf("%+v, files %q", st, s.names())
	}
	equal(t, "folded", restore(t, begin(t, options(s.clone()))), want)
}

// A later start finds the slots that an earlier process kept for their runs, deletes none that is named and forgets none.
func TestSweepKeepsSlotsThatAreNamed(t *testing.T) {
	s, want := newMemStore(), model{}
	o := options(s)
	o.FoldRuns = 8
	for e := flow.Epoch(1); e <= 5; e++ {
		l := begin(t, o)
		blocks := put(string(rune('a'+e)), strings.Repeat("v", 10+100*int(6-e)))
		complete(t, l, e, blocks)
		want.add(t, blocks)
		equal(t, "restarted", restore(t, l), want)
	}
	l := begin(t, o)
	complete(t, l, 6, put("z", "1"))
	for e := flow.Epoch(7); e <= 18; e++ {
		complete(t, l, e, put("z", "1"))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := l.Stats(); st.Folds == 0 || count(s, "slot-") > 2+st.Runs {
		t.Fatalf("%+v, files %q", st, s.names())
	}
}

// A slot whose fate is unknown may hold the inline run of either epoch that tried to take it.
func TestInlineRunOfAnUncertainSlot(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 8))
		s, want := newMemStore(), model{}
		l := begin(t, options(s))
		complete(t, l, 1, put("first", "1"))
		want.add(t, put("first", "1"))
		took := false
		s.before = func(op, name string) error {
			if op == "create" && r.IntN(2) == 0 {
				return errInjected
			}
			took = true
			return nil
		}
		s.after = func(op, name string) error { return errInjected }
		for e := flow.Epoch(2); e < 5; e++ {
			took = false
			blocks := put("k", string(rune('0'+e)))
			was := count(s, "slot-")
			if err := l.Complete(t.Context(), e, blocks, nil); !errors.Is(err, errInjected) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if took && count(s, "slot-") > was {
				want.add(t, blocks)
			}
		}
		s.before, s.after = nil, nil
		complete(t, l, 5, put("last", "1"))
		want.add(t, put("last", "1"))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		equal(t, "reopened", restore(t, begin(t, options(s.clone()))), want)
	}
}

// What an epoch writes follows the keys that changed, also after hundreds of epochs that nothing has folded.
func TestBytesOfAnEpochFollowItsChanges(t *testing.T) {
	for _, bound := range []int64{-1, 0} {
		s := newMemStore()
		o := options(s)
		o.InlineBytes = bound
		l := begin(t, o)
		written := 0
		for e := flow.Epoch(1); e <= 500; e++ {
			b := delta.Block{Operator: "count", State: "n"}
			for key := range 1000 {
				b.Data = delta.AppendPut(b.Data, []byte{byte(key), byte(key >> 8), byte(e), byte(e >> 8), 9, 9, 9, 9}, []byte("12345678"))
				b.Count++
			}
			before := s.names()
			complete(t, l, e, []delta.Block{b})
			written = 0
			for _, name := range s.names() {
				if name == "head" || !slices.Contains(before, name) {
					written += len(s.objects[name])
				}
			}
		}
		if t.Logf("bound %d: %d bytes in epoch 500", bound, written); written > 100_000 {
			t.Errorf("bound %d: epoch 500 wrote %d bytes for 1,000 keys", bound, written)
		}
	}
}

// A full disk refuses entries wherever they would go, and takes the record of an epoch without any.
func TestReserveIsKeptFromInlineRuns(t *testing.T) {
	s := &fullStore{memStore: newMemStore()}
	l := begin(t, options(s))
	complete(t, l, 1, put("a", "1"))
	s.full = true
	if err := l.Complete(t.Context(), 2, put("b", "2"), nil); !errors.Is(err, checkpoint.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	complete(t, l, 3, nil)
	s.full = false
	complete(t, l, 4, put("b", "2"))
	equal(t, "with space again", restore(t, begin(t, options(s))), model{"count/n/1/a": "1", "count/n/1/b": "2"})
}

type fullStore struct {
	*memStore
	full bool
}

func (s *fullStore) CheckSpace(int64) error {
	if s.full {
		return checkpoint.ErrNoSpace
	}
	return nil
}

// A savepoint has the slots whose inline runs it names, and they need nothing else.
func TestSavepointTakesSlotsAlong(t *testing.T) {
	s, savepoint, want := newMemStore(), newMemStore(), model{}
	o := options(s)
	o.FoldRuns = 8
	l := begin(t, o)
	for e := flow.Epoch(1); e <= 4; e++ {
		blocks := put(string(rune('a'+e)), strings.Repeat("v", 10+100*int(4-e)))
		complete(t, l, e, blocks)
		want.add(t, blocks)
	}
	pin(t, l, savepoint)
	if n := count(savepoint, "slot-"); n != 4 {
		t.Fatalf("the savepoint holds %q", savepoint.names())
	}
	clear(s.objects)
	equal(t, "begun from it", restore(t, begin(t, from(newMemStore(), savepoint))), want)
}
