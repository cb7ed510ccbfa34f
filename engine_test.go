package millrace_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func split(line string, emit func(string)) {
	for w := range strings.FieldsSeq(line) {
		emit(w)
	}
}

func row[K comparable](k K, n int64) millrace.Pair[K, int64] {
	return millrace.Pair[K, int64]{Key: k, Value: n}
}

func itself(s string) string { return s }

func wordCount(lines millrace.Stream[string]) millrace.Table[string, int64] {
	return lines.
		FlatMap("split", split).
		Map("lower", strings.ToLower).
		KeyBy(itself).
		Count("count", state.Forever)
}

// memory is a sink that keeps what it was given, over restarts of the job too.
type memory[T any] struct {
	mu   sync.Mutex
	rows []T
	each func(T) error
}

func (m *memory[T]) Open(context.Context, sinks.Instance) (sinks.Writer[T], error) { return m, nil }
func (m *memory[T]) Flush(context.Context) error                                   { return nil }
func (m *memory[T]) Close() error                                                  { return nil }
func (m *memory[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range b.Records {
		if m.each != nil {
			if err := m.each(b.Records[i].Value); err != nil {
				return err
			}
		}
		m.rows = append(m.rows, b.Records[i].Value)
	}
	return nil
}

func (m *memory[T]) all() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows)
}

func run(t *testing.T, j *millrace.Job, c millrace.Config) {
	t.Helper()
	q, err := j.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.Status() != millrace.Finished {
		t.Fatalf("status %v, want finished", q.Status())
	}
}

func lastOf(rows []millrace.Pair[string, int64]) map[string]int64 {
	last := map[string]int64{}
	for _, p := range rows {
		last[p.Key] = p.Value
	}
	return last
}

func TestWordCount(t *testing.T) {
	for _, parallelism := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(parallelism), func(t *testing.T) {
			t.Parallel()
			var updates, final memory[millrace.Pair[string, int64]]
			j := millrace.NewJob("wordcount")
			counts := wordCount(j.From("lines", sources.Slice("to be or not to be", "To be is to do")))
			counts.To("updates", &updates, millrace.Update)
			counts.Final("final", row).To("results", &final)
			run(t, j, millrace.Config{Parallelism: parallelism, StateDir: t.TempDir()})
			want := map[string]int64{"to": 4, "be": 3, "or": 1, "not": 1, "is": 1, "do": 1}
			if got := lastOf(updates.all()); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("last updates %v, want %v", got, want)
			}
			if got := final.all(); len(got) != len(want) || fmt.Sprint(lastOf(got)) != fmt.Sprint(want) {
				t.Errorf("final rows %v, want %v once each", got, want)
			}
			if n := len(updates.all()); n != 11 {
				t.Errorf("%d updates, want one per word: 11", n)
			}
		})
	}
}

// counted is numbers 0..n-1, counted by value mod keys.
func counted(j *millrace.Job, n, keys int) millrace.Table[int, int64] {
	return j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 2, Count: int64(n)}, func(i int64) int { return int(i) })).
		KeyBy(func(v int) int { return v % keys }).
		Count("count", state.Forever)
}

func TestAFailingSinkRestoresTheStateExactly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const n, keys, failures = 60000, 100, 5
	left, wait := failures, 0
	var updates, final memory[millrace.Pair[int, int64]]
	updates.each = func(millrace.Pair[int, int64]) error {
		if wait--; left > 0 && wait < 0 {
			left--
			wait = 2000 + rng.IntN(8000)
			return errors.New("the disk is full, says the test")
		}
		return nil
	}
	j := millrace.NewJob("failing")
	counts := counted(j, n, keys)
	counts.To("updates", &updates, millrace.Update)
	counts.Final("final", row).To("results", &final)
	run(t, j, millrace.Config{
		Parallelism: 2, StateDir: t.TempDir(), CheckpointEvery: 10 * time.Millisecond, RestartMin: time.Millisecond, BatchRecords: 64,
	})
	if left != 0 {
		t.Fatalf("seed %d: only %d of %d failures happened", seed, failures-left, failures)
	}
	rows := final.all()
	if len(rows) != keys {
		t.Fatalf("seed %d: %d final rows, want %d", seed, len(rows), keys)
	}
	for _, r := range rows {
		if r.Value != n/keys {
			t.Fatalf("seed %d: key %d counted %d, want %d", seed, r.Key, r.Value, n/keys)
		}
	}
	gapless(t, seed, updates.all(), n/keys)
}

// gapless checks at-least-once output of counts: without repeats it is 1, 2, …, n per key.
func gapless(t *testing.T, seed uint64, rows []millrace.Pair[int, int64], n int64) {
	t.Helper()
	seen := map[int]int64{}
	for _, r := range rows {
		if r.Value > seen[r.Key]+1 {
			t.Fatalf("seed %d: key %d went from %d to %d", seed, r.Key, seen[r.Key], r.Value)
		}
		seen[r.Key] = max(seen[r.Key], r.Value)
	}
	for k, last := range seen {
		if last != n {
			t.Fatalf("seed %d: key %d ends at %d, want %d", seed, k, last, n)
		}
	}
}

func TestStopAndResume(t *testing.T) {
	dir := t.TempDir()
	const n, keys = 200000, 50
	for round := 0; ; round++ {
		reached := make(chan struct{}, 1)
		var final memory[millrace.Pair[int, int64]]
		updates := &memory[millrace.Pair[int, int64]]{}
		count := 0
		updates.each = func(millrace.Pair[int, int64]) error {
			if count++; count == 20000 {
				reached <- struct{}{}
			}
			return nil
		}
		j := millrace.NewJob("resumed")
		counts := counted(j, n, keys)
		counts.To("updates", updates, millrace.Update)
		counts.Final("final", row).To("results", &final)
		q, err := j.Start(t.Context(), millrace.Config{Parallelism: 1 + round%3, StateDir: dir, LaneBatches: 2})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-reached:
			if err := q.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		case <-q.Done():
		}
		if q.Err() != nil {
			t.Fatal(q.Err())
		}
		if q.Status() == millrace.Finished {
			if round == 0 {
				t.Fatal("the job was never stopped")
			}
			rows := final.all()
			if len(rows) != keys {
				t.Fatalf("%d rows, want %d", len(rows), keys)
			}
			for _, r := range rows {
				if r.Value != n/keys {
					t.Fatalf("key %d counted %d, want %d", r.Key, r.Value, n/keys)
				}
			}
			return
		}
	}
}
