package millrace_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

var recordSavepoint = flag.Bool("record-savepoint", false, "write testdata/savepoint-format-3 anew with this build; see TestASavepointOfAnEarlierBuild")

const (
	formatRecords = 6000
	formatKeys    = 50
)

// formatJob counts by key; never change it, savepoints of it are in testdata.
func formatJob(perSecond int64, to *memory[millrace.Pair[int64, int64]]) *millrace.Job {
	j := millrace.NewJob("format")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 2, Count: formatRecords, PerSecond: perSecond}, func(i int64) int64 { return i % formatKeys })).
		KeyBy(func(k int64) int64 { return k }).
		Count("count", state.Forever).
		To("out", to, millrace.Update)
	return j
}

// A whole job goes on from a savepoint that an earlier build made: plan, schemas, entries of state, positions of sources. When a format or an
// encoding changes and the older one is still read, record one more directory (with this test, under another name) and leave the
// others as they are.
func TestASavepointOfAnEarlierBuild(t *testing.T) {
	const newest = "testdata/savepoint-format-3"
	if *recordSavepoint {
		if err := os.RemoveAll(newest); err != nil {
			t.Fatal(err)
		}
		half, seen := make(chan struct{}), 0
		to := &memory[millrace.Pair[int64, int64]]{each: func(millrace.Pair[int64, int64]) error {
			if seen++; seen == formatRecords/2 {
				close(half)
			}
			return nil
		}}
		q, err := formatJob(formatRecords, to).Start(t.Context(), millrace.Config{Parallelism: 2})
		if err != nil {
			t.Fatal(err)
		}
		<-half
		if _, err := q.StopWithSavepoint(t.Context(), newest); err != nil {
			t.Fatal(err)
		}
	}
	dirs, err := filepath.Glob("testdata/savepoint-format-*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no savepoints: %v", err)
	}
	for _, dir := range dirs {
		for _, backend := range []millrace.StateBackend{millrace.Memory, millrace.Badger} {
			t.Run(filepath.Base(dir)+"/"+backend.String(), func(t *testing.T) {
				to := &memory[millrace.Pair[int64, int64]]{}
				run(t, formatJob(0, to), millrace.Config{Parallelism: 3, FromSavepoint: dir, State: backend})
				if n := len(to.all()); n == 0 || n >= formatRecords {
					t.Errorf("%d rows behind the savepoint, want some and fewer than %d", n, formatRecords)
				}
				last := map[int64]int64{}
				for _, r := range to.all() {
					last[r.Key] = r.Value
				}
				for k := range int64(formatKeys) {
					if last[k] != formatRecords/formatKeys {
						t.Errorf("key %d: %d, want %d", k, last[k], formatRecords/formatKeys)
					}
				}
			})
		}
	}
}
