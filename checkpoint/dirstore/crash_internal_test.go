package dirstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// disk is the content of a directory as crashes may leave it: now, and as it was when the directory was synced last.
type disk struct{ now, synced map[string][]byte }

// crash is what a power cut may leave of the directory: each change of a name since the last sync has happened or not.
// Files with names were synced before they were linked; temporaries may hold a part.
func (d disk) crash(r *rand.Rand) map[string][]byte {
	left := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(mergeKeys(d.now, d.synced))) {
		from := d.synced
		if r.IntN(2) == 0 {
			from = d.now
		}
		if data, ok := from[name]; ok {
			if len(name) > 4 && name[:4] == tempPrefix {
				data = data[:r.IntN(len(data)+1)]
			}
			left[name] = data
		}
	}
	return left
}

func mergeKeys(a, b map[string][]byte) map[string][]byte {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

func readDir(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func writeDir(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// crashTest runs a job over a directory and, before each system call, restores from what a crash there may leave.
type crashTest struct {
	t        *testing.T
	r        *rand.Rand
	dir      string
	disk     disk
	states   []map[string]string // by epoch
	complete int                 // Complete returned nil for it
	trying   int                 // Complete was called for it
	points   int
}

func options(s checkpoint.Store) checkpoint.Options {
	plan := checkpoint.Plan{Hash: "p", Operators: []string{"count"}, Schemas: []delta.Schema{{Operator: "count", State: "n"}}}
	return checkpoint.Options{Store: s, Job: "wordcount", Plan: plan, KeyGroups: 4, FoldRuns: 3}
}

// step is called before each system call of the run.
func (c *crashTest) step(op, _ string) error {
	c.disk.now = readDir(c.t, c.dir)
	c.check("stop", c.disk.now)
	c.check("power cut", c.disk.synced)
	for range 2 {
		c.check("power cut, some changes kept", c.disk.crash(c.r))
	}
	if c.points++; op == "syncdir" { // the next crash comes after it
		c.disk.synced = c.disk.now
	}
	return nil
}

// check restores a crashed directory: it must hold the newest complete epoch, or the one being completed.
func (c *crashTest) check(what string, files map[string][]byte) {
	c.t.Helper()
	dir := c.dir + "-crashed"
	writeDir(c.t, dir, files)
	s, err := Open(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	at := fmt.Sprintf("%s at point %d, epoch %d complete, files %q", what, c.points, c.complete, slices.Sorted(maps.Keys(files)))
	l, err := checkpoint.Open(c.t.Context(), options(s))
	if err != nil {
		c.t.Fatalf("%s: %v", at, err)
	}
	if _, err := l.Begin(c.t.Context()); err != nil {
		c.t.Fatalf("%s: %v", at, err)
	}
	e, _ := l.Newest()
	if n := int(e.Number); n != c.complete && n != c.trying {
		c.t.Fatalf("%s: epoch %d restored", at, n)
	}
	got := map[string]string{}
	if err := l.Restore(c.t.Context(), func(b delta.Block) error { return apply(got, b) }); err != nil {
		c.t.Fatalf("%s: %v", at, err)
	}
	if !maps.Equal(got, c.states[e.Number]) {
		c.t.Fatalf("%s: state of epoch %d is %v, want %v", at, e.Number, got, c.states[e.Number])
	}
	if err := l.Complete(c.t.Context(), e.Number+1, nil, nil); err != nil {
		c.t.Fatalf("%s: going on: %v", at, err)
	}
}

func apply(m map[string]string, b delta.Block) error {
	for rest := b.Data; len(rest) > 0; {
		key, value, deleted, after, err := delta.Next(rest)
		if err != nil {
			return err
		}
		if rest = after; deleted {
			delete(m, string(key))
		} else {
			m[string(key)] = string(value)
		}
	}
	return nil
}

// epoch completes the next epoch with a few changes, and folds.
func (c *crashTest) epoch(l *checkpoint.Log) {
	state := maps.Clone(c.states[c.trying])
	b := delta.Block{Operator: "count", State: "n"}
	for range c.r.IntN(6) {
		key := fmt.Appendf(nil, "k%d", c.r.IntN(12))
		if b.Count++; c.r.IntN(3) == 0 {
			b.Data = delta.AppendDelete(b.Data, key)
		} else {
			b.Data = delta.AppendPut(b.Data, key, fmt.Append(nil, c.r.Uint64()))
		}
	}
	if err := apply(state, b); err != nil {
		c.t.Fatal(err)
	}
	c.states = append(c.states, state)
	c.trying++
	if err := l.Complete(c.t.Context(), flow.Epoch(c.trying), []delta.Block{b}, nil); err != nil {
		c.t.Fatal(err)
	}
	c.complete = c.trying
	if c.r.IntN(3) > 0 {
		if err := l.MoveHead(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := l.Fold(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

func TestCrashAnywhere(t *testing.T) {
	const seed = 7
	c := &crashTest{t: t, r: rand.New(rand.NewPCG(seed, seed)), dir: filepath.Join(t.TempDir(), "state"), states: []map[string]string{{}}}
	for _, bound := range []int64{-1, 0, 100} { // runs of the job, each ended by a crash
		s, err := Open(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		c.disk.synced = readDir(t, c.dir)
		s.step = c.step
		o := options(s)
		o.InlineBytes = bound
		l, err := checkpoint.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			c.epoch(l)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if c.points < 120 {
		t.Fatalf("only %d crash points", c.points)
	}
	t.Logf("seed %d: %d crash points, four crashes each", seed, c.points)
}
