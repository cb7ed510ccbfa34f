package sortedfile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runner/sortedfile"
	"github.com/millrace-io/millrace/sinks"
)

type row struct{ key, rest string }

func appendRow(dst []byte, r row) ([]byte, int) {
	return append(append(dst, r.key...), r.rest...), len(r.key)
}

func open(t *testing.T, s sinks.Sink[row], attempt flow.Attempt, task, tasks int) sinks.Writer[row] {
	t.Helper()
	w, err := s.Open(t.Context(), sinks.Instance{Job: "j", Lineage: "l", Operator: "out", Task: task, Tasks: tasks, Attempt: attempt})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, w sinks.Writer[row], rows ...row) {
	t.Helper()
	b := &flow.Batch[row]{}
	for _, r := range rows {
		b.Records = append(b.Records, flow.Record[row]{Value: r})
	}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, w sinks.Writer[row]) {
	t.Helper()
	if err := w.(sinks.Finisher).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func onlyFile(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Fatalf("the folder holds %v (%v), want %s alone", entries, err, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Many more rows than fit into memory, so that runs are merged in more than one pass.
func TestSortsWhatDoesNotFit(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "out.txt")
	s := sortedfile.New(sortedfile.Config{Path: path, MemoryBytes: 1}, sortedfile.RowFunc[row](appendRow))
	writers := []sinks.Writer[row]{open(t, s, 1, 0, 3), open(t, s, 1, 1, 3), open(t, s, 1, 2, 3)}
	var all []row
	for range 20_000 {
		key := make([]byte, random.IntN(6))
		for i := range key {
			key[i] = byte(random.IntN(256))
			if key[i] == '\n' {
				key[i] = 0xff
			}
		}
		r := row{string(key), fmt.Sprintf("\t%d", random.IntN(1000))}
		all = append(all, r)
		write(t, writers[random.IntN(3)], r)
	}
	finish(t, writers[0])
	finish(t, writers[1])
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("seed %d: the file is there before all tasks have finished: %v", seed, err)
	}
	finish(t, writers[2])
	slices.SortFunc(all, func(a, b row) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.rest, b.rest)
	})
	var want strings.Builder
	for _, r := range all {
		want.WriteString(r.key + r.rest + "\n")
	}
	if onlyFile(t, path) != want.String() {
		t.Fatalf("seed %d: the file differs from the sorted rows", seed)
	}
}

// A word is a prefix of another whose next byte is smaller than the separator: the key decides, not the line.
func TestSortsByKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	s := sortedfile.New(sortedfile.Config{Path: path}, sortedfile.RowFunc[row](appendRow))
	w := open(t, s, 1, 0, 1)
	write(t, w, row{"a\x01", "\t1"}, row{"a", "\t2"}, row{"", "\t3"})
	finish(t, w)
	if got, want := onlyFile(t, path), "\t3\na\t2\na\x01\t1\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// What a failed attempt wrote is gone, and an old result stays until the new one is complete.
func TestAttemptsBeginAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sortedfile.New(sortedfile.Config{Path: path, MemoryBytes: 1}, sortedfile.RowFunc[row](appendRow))
	failed := open(t, s, 1, 0, 1)
	for i := range 1000 {
		write(t, failed, row{fmt.Sprint("lost", i), ""})
	}
	if err := failed.Close(); err != nil {
		t.Fatal(err)
	}
	if got := onlyFile(t, path); got != "old" {
		t.Fatalf("got %q before the end, want the old result", got)
	}
	w := open(t, s, 2, 0, 1)
	write(t, w, row{"b", ""}, row{"a", ""})
	finish(t, w)
	if got := onlyFile(t, path); got != "a\nb\n" {
		t.Fatalf("got %q", got)
	}
}

func TestNothingToWriteIsAnEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	w := open(t, sortedfile.New(sortedfile.Config{Path: path}, sortedfile.RowFunc[row](appendRow)), 1, 0, 1)
	finish(t, w)
	if got := onlyFile(t, path); got != "" {
		t.Fatalf("got %q", got)
	}
}

func TestRefusesUpdates(t *testing.T) {
	s := sortedfile.New(sortedfile.Config{Path: filepath.Join(t.TempDir(), "out.txt")}, sortedfile.RowFunc[row](appendRow))
	w := open(t, s, 1, 0, 1)
	defer w.Close()
	b := &flow.Batch[row]{Records: []flow.Record[row]{{}}, Kinds: []flow.Kind{flow.Delete}}
	if err := w.Write(t.Context(), b); err == nil || !strings.Contains(err.Error(), "final rows only") {
		t.Fatalf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		"":                              "no path",
		dir:                             "is a directory",
		filepath.Join(dir, "no", "out"): "its folder must exist",
		filepath.Join(dir, "out"):       "",
	} {
		s := sortedfile.New(sortedfile.Config{Path: path}, sortedfile.RowFunc[row](appendRow))
		err := s.(sinks.Checker).Check(context.Background())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("path %q: got %v, want %q", path, err, want)
		}
	}
}
