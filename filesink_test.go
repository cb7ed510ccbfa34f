package millrace_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks/filesink"
	"github.com/millrace-io/millrace/sources"
)

// toFiles is a job that writes 0..n-1 to files, and calls at for each record that it processes, with how many there were.
func toFiles(n int64, dir string, at func(seen int64)) *millrace.Job {
	var seen atomic.Int64
	j := millrace.NewJob("files")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 3, Count: n}, func(i int64) int64 { return i })).
		Rebalance("deal").
		Map("text", func(i int64) string {
			at(seen.Add(1))
			return strconv.FormatInt(i, 10)
		}).
		To("files", filesink.Text(filesink.Config{Dir: dir, RollBytes: 2000}))
	return j
}

// inFilesOf are the numbers in the files that readers see.
func inFilesOf(t *testing.T, dir string) (numbers []int) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			n, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Whatever fails, files hold each record once: with epochs that end no batch, in which files are made resumable only, and without.
func TestFilesHoldEachRecordOnce(t *testing.T) {
	for name, c := range map[string]millrace.Config{
		"real time":     {CheckpointEvery: 40 * time.Millisecond, CommitEvery: 10 * time.Millisecond},
		"micro-batches": {Trigger: millrace.MicroBatch(), MaxRecordsPerBatch: 700},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			dir := t.TempDir()
			c.Parallelism, c.RestartMin, c.RestartMax, c.StateDir, c.BatchRecords, c.LaneBatches = 3, time.Millisecond, time.Millisecond, t.TempDir(), 16, 2
			const n, faults = 20_000, 5
			rng := rand.New(rand.NewPCG(seed, 0))
			fail := map[int64]bool{}
			for len(fail) < faults {
				fail[1+rng.Int64N(n)] = true
			}
			q, err := toFiles(n, dir, func(seen int64) {
				if fail[seen] {
					panic("a fault, says the test")
				}
			}).Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Await(t.Context()); err != nil {
				t.Fatal(err)
			}
			if q.Progress().Restarts == 0 {
				t.Error("nothing has failed")
			}
			wantEachOnce(t, inFilesOf(t, dir), n)
		})
	}
}

// A job that is stopped has published what it processed, and one with other parallelism goes on behind it.
func TestAStopPublishesFiles(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	const n = 60_000
	for _, parallelism := range []int{3, 1, 4} {
		before, reached := len(inFilesOf(t, dir)), make(chan struct{})
		q, err := toFiles(n, dir, func(seen int64) {
			if seen == 5000 {
				close(reached)
			}
		}).Start(t.Context(), millrace.Config{
			Parallelism: parallelism, StateDir: state, CheckpointEvery: time.Hour, CommitEvery: 10 * time.Millisecond, BatchRecords: 8, LaneBatches: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-reached:
		case <-q.Done():
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := len(inFilesOf(t, dir)); after < before+5000 {
			t.Fatalf("%d records can be read after a stop, %d before the start, and 5,000 were processed in between", after, before)
		}
	}
	run(t, toFiles(n, dir, func(int64) {}), millrace.Config{Parallelism: 2, StateDir: state})
	wantEachOnce(t, inFilesOf(t, dir), n)
}
