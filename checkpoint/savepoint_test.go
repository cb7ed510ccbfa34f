package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// saved is a log after some epochs, with a savepoint of the newest and the state that this has.
func saved(t *testing.T, r *rand.Rand) (source, savepoint *memStore, want model) {
	t.Helper()
	source, savepoint, want = newMemStore(), newMemStore(), model{}
	l := begin(t, options(source))
	for e := flow.Epoch(1); e <= 12; e++ {
		blocks := change(r, 40, 200)
		complete(t, l, e, blocks)
		want.add(t, blocks)
	}
	pin(t, l, savepoint)
	return source, savepoint, want
}

func pin(t *testing.T, l *checkpoint.Log, to checkpoint.Store) {
	t.Helper()
	p, err := l.Pin()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	if err := p.Copy(t.Context(), to); err != nil {
		t.Fatal(err)
	}
}

func from(s, savepoint checkpoint.Store) checkpoint.Options {
	o := options(s)
	o.From = savepoint
	return o
}

func TestANewLineageBeginsFromASavepoint(t *testing.T) {
	source, savepoint, want := saved(t, rand.New(rand.NewPCG(1, 1)))
	was := savepoint.clone()
	s := newMemStore()
	o := from(s, savepoint)
	o.KeyGroups, o.Job = 64, "another" // that of the savepoint holds; a fork has a name of its own
	l := begin(t, o)
	old := begin(t, options(source))
	if l.Lineage() == old.Lineage() || l.KeyGroups() != testGroups {
		t.Fatalf("lineage %q with %d key groups, want a new one with %d", l.Lineage(), l.KeyGroups(), testGroups)
	}
	if e, ok := l.Newest(); !ok || e.Number != 12 || e.Attempt != 0 || string(e.Meta) != "meta" {
		t.Fatalf("it begins with %+v, %t", e, ok)
	}
	equal(t, "begun from a savepoint", restore(t, l), want)
	blocks := put("later", "1")
	complete(t, l, 13, blocks)
	want.add(t, blocks)
	if err := l.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := begin(t, o) // the same command line again: it goes on
	equal(t, "gone on", restore(t, again), want)
	o.From = nil
	equal(t, "gone on without it", restore(t, begin(t, o)), want)
	if !maps.EqualFunc(was.objects, savepoint.objects, slices.Equal) {
		t.Fatal("the savepoint was changed")
	}
}

func TestASavepointOutlivesItsLineage(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	source, savepoint, want := saved(t, r)
	l := begin(t, options(source))
	for e := flow.Epoch(13); e < 60; e++ {
		complete(t, l, e, change(r, 40, 200))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	clear(source.objects)
	equal(t, "begun from a savepoint", restore(t, begin(t, from(newMemStore(), savepoint))), want)
}

// A pinned epoch keeps its files through any number of folds, and a released one does not.
func TestPinnedFilesStay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	s, want := newMemStore(), model{}
	o := options(s)
	o.InlineBytes = 3000
	l := begin(t, o)
	for e := flow.Epoch(1); e <= 5; e++ {
		blocks := change(r, 20+10*(int(e)%3), 200)
		complete(t, l, e, blocks)
		want.add(t, blocks)
	}
	_, _, needed, _ := checkpoint.EpochRecord(s.objects[l.SlotNames()[0]])
	if !slices.ContainsFunc(needed, func(n string) bool { return strings.HasPrefix(n, "slot-") }) || !slices.ContainsFunc(needed, func(n string) bool { return strings.HasPrefix(n, "run-") }) {
		t.Fatalf("want files and slots with inline runs: %q", needed)
	}
	p, err := l.Pin()
	if err != nil || p.Epoch() != 5 {
		t.Fatal(p, err)
	}
	gone := func() (gone []string) {
		for e := range flow.Epoch(40) {
			newest, _ := l.Newest()
			complete(t, l, newest.Number+1+e%2, change(r, 40, 200))
			if err := l.Fold(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return slices.DeleteFunc(slices.Clone(needed), func(n string) bool { return slices.Contains(s.names(), n) })
	}
	if g := gone(); len(g) > 0 {
		t.Fatalf("deleted although pinned: %q", g)
	}
	savepoint := newMemStore()
	if err := p.Copy(t.Context(), savepoint); err != nil {
		t.Fatal(err)
	}
	equal(t, "late copy", restore(t, begin(t, from(newMemStore(), savepoint))), want)
	p.Release()
	if g := gone(); len(g) != len(needed) {
		t.Fatalf("of %q only %q are deleted", needed, g)
	}
}

// A crash or an error at each step of beginning from a savepoint leaves a state that goes on with the savepoint, and never begins empty.
func TestABeginningThatIsInterruptedIsNotEmpty(t *testing.T) {
	_, savepoint, want := saved(t, rand.New(rand.NewPCG(4, 4)))
	for _, when := range []string{"before", "after"} {
		for step := 1; ; step++ {
			s, n := newMemStore(), 0
			fail := func(op, name string) error {
				if n++; n == step {
					return errInjected
				}
				return nil
			}
			if when == "before" {
				s.before = fail
			} else {
				s.after = fail
			}
			l, err := checkpoint.Open(t.Context(), from(s, savepoint))
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.Begin(t.Context())
			if n < step {
				break // no step failed
			}
			crashed := s.powerCut()
			if err != nil { // the same process tries again
				if _, err := l.Begin(t.Context()); err != nil {
					t.Fatalf("%s step %d, and again: %v", when, step, err)
				}
			}
			equal(t, "again", restore(t, l), want)
			equal(t, "reopened", restore(t, begin(t, options(s.clone()))), want)

			if len(crashed.objects) > 0 { // else nothing was done
				if alone, err := checkpoint.Open(t.Context(), options(crashed.clone())); err == nil {
					if _, ok := alone.Newest(); !ok {
						t.Fatalf("%s step %d: without the savepoint it would begin empty", when, step)
					}
				}
			}
			equal(t, "after a crash", restore(t, begin(t, from(crashed, savepoint))), want)
		}
	}
}

func TestAnotherSavepointIsRefused(t *testing.T) {
	_, one, _ := saved(t, rand.New(rand.NewPCG(5, 5)))
	_, two, _ := saved(t, rand.New(rand.NewPCG(6, 6)))
	begun := newMemStore()
	begin(t, from(begun, one))
	empty, other := newMemStore(), newMemStore()
	begin(t, options(empty))
	complete(t, begin(t, options(other)), 1, put("a", "1"))
	for what, s := range map[string]*memStore{"begun from another": begun, "begun empty": empty, "with an epoch": other} {
		before := s.clone()
		if _, err := checkpoint.Open(t.Context(), from(s, two)); !errors.Is(err, checkpoint.ErrOrigin) || !strings.Contains(err.Error(), "empty state directory") {
			t.Errorf("%s: %v", what, err)
		}
		if !maps.EqualFunc(before.objects, s.objects, slices.Equal) {
			t.Errorf("%s: it was changed", what)
		}
	}
}

func TestStatesAreLeftOut(t *testing.T) {
	_, savepoint, want := saved(t, rand.New(rand.NewPCG(7, 7)))
	o := from(newMemStore(), savepoint)
	o.Without = []string{"seen"}
	maps.DeleteFunc(want, func(k, _ string) bool { return strings.HasPrefix(k, "count/seen/") })
	equal(t, "without a state", restore(t, begin(t, o)), want)
}

func TestASavepointOfAnEmptyStateAndOfAnotherTopology(t *testing.T) {
	s, savepoint := newMemStore(), newMemStore()
	l := begin(t, options(s))
	if _, err := l.Pin(); err == nil {
		t.Fatal("pinned, although no epoch is complete")
	}
	complete(t, l, 1, nil)
	pin(t, l, savepoint)
	equal(t, "empty", restore(t, begin(t, from(newMemStore(), savepoint))), model{})

	o := from(newMemStore(), savepoint)
	o.Plan.Schemas = []delta.Schema{{Operator: "count", State: "n", Key: `"long"`, Value: `"long"`}}
	if _, err := checkpoint.Open(t.Context(), o); !errors.Is(err, checkpoint.ErrPlan) {
		t.Fatalf("another topology: %v", err)
	}
	if _, err := checkpoint.Open(t.Context(), from(newMemStore(), newMemStore())); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Fatalf("no savepoint: %v", err)
	}
}

// Each change of a savepoint's files is found before anything of it is in the new lineage.
func TestADamagedSavepointIsRefused(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	_, savepoint, _ := saved(t, r)
	names := savepoint.names()
	for trial := range 2000 {
		broken, name := savepoint.sharing(), names[r.IntN(len(names))]
		what := damage(r, broken, name)
		s := newMemStore()
		l, err := checkpoint.Open(t.Context(), from(s, broken))
		if err == nil {
			_, err = l.Begin(t.Context())
			if _, ok := l.Newest(); ok {
				t.Fatalf("seed %d, trial %d: %s %s: begun", seed, trial, name, what)
			}
		}
		if !errors.Is(err, checkpoint.ErrDamaged) && !errors.Is(err, checkpoint.ErrVersion) && !errors.Is(err, checkpoint.ErrNotFound) || !strings.Contains(err.Error(), name) {
			t.Fatalf("seed %d, trial %d: %s %s: %v", seed, trial, name, what, err)
		}
	}
}

func TestUnknownVersionOfASavepointIsRefused(t *testing.T) {
	_, savepoint, _ := saved(t, rand.New(rand.NewPCG(8, 8)))
	begun := newMemStore()
	begin(t, from(begun, savepoint))
	newer := func(s *memStore, name string) *memStore {
		s = s.clone()
		data := s.objects[name]
		binary.LittleEndian.PutUint16(data[4:], checkpoint.FormatVersion+1)
		end := len(data) - 4
		binary.LittleEndian.PutUint32(data[end:], crc32.Checksum(data[:end], crc32.MakeTable(crc32.Castagnoli)))
		return s
	}
	for name, o := range map[string]checkpoint.Options{
		"savepoint": from(newMemStore(), newer(savepoint, "savepoint")),
		"origin":    from(newer(begun, "origin"), savepoint),
	} {
		if _, err := checkpoint.Open(t.Context(), o); !errors.Is(err, checkpoint.ErrVersion) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of a newer build: %v", name, err)
		}
	}
}
