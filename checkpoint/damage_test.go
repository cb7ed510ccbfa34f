package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
)

// history is a store after some epochs, folds and attempts; the newest slots are attempts behind the newest epoch. Its runs are folded
// ones, segments in files and inline ones.
func history(t *testing.T, r *rand.Rand) (*memStore, *checkpoint.Log) {
	s := newMemStore()
	o := options(s)
	o.InlineBytes = 3000
	l := begin(t, o)
	for e := flow.Epoch(1); e <= 26; e++ {
		complete(t, l, e, change(r, 1+r.IntN(60), 500))
		if err := l.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		l = begin(t, options(s))
	}
	return s, l
}

// damage changes one file in a way a disk or a person may.
func damage(r *rand.Rand, s *memStore, name string) string {
	data := slices.Clone(s.objects[name])
	switch r.IntN(4) {
	case 0:
		delete(s.objects, name)
		return "deleted"
	case 1:
		n := r.IntN(len(data))
		s.objects[name] = data[:n]
		return fmt.Sprintf("cut to %d of %d bytes", n, len(data))
	case 2:
		n := 1 + r.IntN(64)
		s.objects[name] = append(data, make([]byte, n)...)
		return fmt.Sprintf("%d bytes longer", n)
	}
	bit := r.IntN(len(data) * 8)
	data[bit/8] ^= 1 << (bit % 8)
	s.objects[name] = data
	return fmt.Sprintf("bit %d flipped", bit)
}

// openAndRestore is what a start of the job does before it processes a record.
func openAndRestore(t *testing.T, s *memStore) error {
	l, err := checkpoint.Open(t.Context(), options(s))
	if err != nil {
		return err
	}
	return l.Restore(t.Context(), model{}.apply)
}

func TestDamageIsAlwaysFound(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	s, l := history(t, r)
	needed := l.Needed()
	inline := slices.DeleteFunc(slices.Clone(needed), func(n string) bool { return !strings.HasPrefix(n, "slot-") || n >= l.SlotNames()[0] })
	files := slices.DeleteFunc(slices.Clone(needed), func(n string) bool { return !strings.HasPrefix(n, "run-") })
	if len(inline) < 1 || len(files) < 2 {
		t.Fatalf("too little to damage: %q", needed)
	}
	for trial := range invariants.Sized(10_000, 2_000) {
		broken, name := s.sharing(), needed[r.IntN(len(needed))]
		what := fmt.Sprintf("seed %d, trial %d: %s %s", seed, trial, name, damage(r, broken, name))
		err := openAndRestore(t, broken)
		if !errors.Is(err, checkpoint.ErrDamaged) && !errors.Is(err, checkpoint.ErrVersion) {
			t.Fatalf("%s: not found, got %v", what, err)
		}
		for _, want := range []string{name, "epoch", "from a copy"} {
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("%s: the error lacks %q: %v", what, want, err)
			}
		}
	}
}

func TestEveryByteOfTheNewestRecordAndHead(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	s, l := history(t, r)
	for _, name := range slices.DeleteFunc(l.Needed(), func(n string) bool { return strings.HasPrefix(n, "run-") }) {
		for i := range s.objects[name] {
			cut, flipped := s.clone(), s.clone()
			cut.objects[name] = cut.objects[name][:i]
			flipped.objects[name][i] ^= byte(1 + r.IntN(255))
			for what, broken := range map[string]*memStore{"cut": cut, "changed": flipped} {
				if err := openAndRestore(t, broken); err == nil {
					t.Fatalf("%s %s at byte %d: not found", name, what, i)
				}
			}
		}
	}
}

func TestLostDirectoryEntriesAreNoEmptyStart(t *testing.T) {
	s, l := history(t, rand.New(rand.NewPCG(5, 5)))
	for _, keep := range l.Kept() { // all but one file lost
		alone := newMemStore()
		alone.objects[keep] = s.objects[keep]
		if err := openAndRestore(t, alone); !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("with nothing but %s: %v", keep, err)
		}
	}
	stranger := newMemStore()
	stranger.objects["notes-txt"] = []byte("mine")
	if err := openAndRestore(t, stranger); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("in a directory of something else: %v", err)
	}
}

func TestFilesOfAnotherLineageAreFound(t *testing.T) {
	s, l := history(t, rand.New(rand.NewPCG(1, 1)))
	other, _ := history(t, rand.New(rand.NewPCG(1, 1))) // the same epochs
	for _, name := range l.Needed() {
		if strings.HasPrefix(name, "run-") {
			continue
		}
		mixed := s.clone()
		mixed.objects[name] = other.objects[name]
		if err := openAndRestore(t, mixed); !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("%s of another lineage: %v", name, err)
		}
	}
}

func TestRunOfTheSameEpochWithOtherContentIsFound(t *testing.T) {
	a := newMemStore()
	begin(t, files(options(a)))
	b := a.clone()
	la, lb := begin(t, files(options(a))), begin(t, files(options(b)))
	complete(t, la, 1, put("k", "1"))
	complete(t, lb, 1, put("k", "2"))
	// Every checksum in it is right; the hash in the record alone tells.
	a.objects[la.Needed()[2]] = b.objects[lb.Needed()[2]]
	if err := openAndRestore(t, a); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), "SHA-256") {
		t.Fatalf("got %v", err)
	}
}

func TestSlotsOfAnotherBranchAreFound(t *testing.T) {
	// Two histories with the same lineage and job: a copy of the directory that went on by itself.
	a, la := history(t, rand.New(rand.NewPCG(6, 6)))
	b := a.clone()
	la.Close()
	la, lb := begin(t, options(a)), begin(t, options(b))
	last := func(l *checkpoint.Log) string { n := l.SlotNames(); return n[len(n)-1] }

	same := a.clone()
	same.objects[last(la)] = b.objects[last(lb)]
	complete(t, lb, 27, put("k", "1"))
	behind := a.clone()
	behind.objects[last(lb)] = b.objects[last(lb)]
	for _, name := range lb.Needed()[2:] { // its runs too: only the chain can tell
		behind.objects[name] = b.objects[name]
	}
	if _, err := la.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	middle := a.clone()
	name := la.SlotNames()
	middle.objects[name[len(name)-2]] = b.objects[name[len(name)-2]]
	for what, s := range map[string]*memStore{"at the head": same, "behind the head": behind, "before the head": middle} {
		if err := openAndRestore(t, s); !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("foreign slot %s: %v", what, err)
		}
	}
}

func TestNewLineageWithFilesIsNoEmptyStart(t *testing.T) {
	s := newMemStore()
	l, err := checkpoint.Open(t.Context(), options(s))
	if err != nil {
		t.Fatal(err)
	}
	s.before = func(op, _ string) error {
		if op == "create" {
			return errInjected
		}
		return nil
	}
	if _, err := l.Begin(t.Context()); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	if err := openAndRestore(t, s); err != nil {
		t.Fatalf("stopped before the first slot: %v", err)
	}
	s.objects["run-1-a1-x-1"] = []byte("changes of an epoch")
	if err := openAndRestore(t, s); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Fatalf("runs but no slot: %v", err)
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	s, l := history(t, rand.New(rand.NewPCG(2, 2)))
	for _, name := range l.Needed() {
		newer := s.clone()
		data := newer.objects[name]
		binary.LittleEndian.PutUint16(data[4:], 4)
		if n := len(data) - 4; !strings.HasPrefix(name, "run-") {
			binary.LittleEndian.PutUint32(data[n:], crc32.Checksum(data[:n], crc32.MakeTable(crc32.Castagnoli)))
		}
		err := openAndRestore(t, newer)
		if !errors.Is(err, checkpoint.ErrVersion) || !strings.Contains(err.Error(), "version 4, this build reads 2 to 3") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of version 4: %v", name, err)
		}
	}
}

func TestFoldRefusesDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	s := newMemStore()
	l := begin(t, options(s))
	for e := flow.Epoch(1); e <= 3; e++ {
		complete(t, l, e, change(r, 40, 500))
	}
	victim := l.Needed()[3]
	s.objects[victim][len(s.objects[victim])/2] ^= 1
	before := l.Stats().Runs
	err := l.Fold(t.Context())
	if !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), victim) {
		t.Fatalf("fold over damaged %s: %v", victim, err)
	}
	if n := l.Stats().Runs; n != before {
		t.Fatalf("%d runs after a fold that failed, want %d", n, before)
	}
}
