package millrace_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// numbers is a job that writes 0..n-1 to a sink, behind a shuffle.
func numbers(n int64, to sinks.Sink[int]) *millrace.Job {
	j := millrace.NewJob("numbers")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 3, Count: n}, func(i int64) int { return int(i) })).
		Rebalance("deal").
		To("vault", to)
	return j
}

func wantEachOnce(t *testing.T, got []int, n int) {
	t.Helper()
	slices.Sort(got)
	for i, v := range got {
		if v != i {
			t.Fatalf("%d records, the first difference at %d: %d", len(got), i, v)
		}
	}
	if len(got) != n {
		t.Fatalf("%d records, want %d", len(got), n)
	}
}

// faults fails some of a vault's steps, drawn from a seed.
func faults(rng *rand.Rand, most int, steps ...string) func(string) error {
	var mu sync.Mutex
	return func(step string) error {
		mu.Lock()
		defer mu.Unlock()
		if most == 0 || !slices.Contains(steps, step) || rng.IntN(8) > 0 {
			return nil
		}
		most--
		return errors.New("the vault does not answer, says the test: " + step)
	}
}

// Whatever fails, each record is public once: also when a commit took place and its answer was lost.
func TestOutputIsPublishedOnce(t *testing.T) {
	for _, step := range []string{"write", "prepare", "commit", "committed", "recover", "any"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			steps := []string{step}
			if step == "any" {
				steps = []string{"write", "prepare", "commit", "committed", "recover"}
			}
			v := newVault()
			const n = 20_000
			if step == "recover" { // something has to make it necessary
				steps = append(steps, "commit")
			}
			v.fault = onlyAfter(v, faults(rand.New(rand.NewPCG(seed, 0)), 6, steps...))
			run(t, numbers(n, v), millrace.Config{
				Parallelism: 3, CommitEvery: 10 * time.Millisecond, RestartMin: time.Millisecond, RestartMax: time.Millisecond, RestartsMax: 100,
				StateDir: t.TempDir(), BatchRecords: 16, LaneBatches: 2,
			})
			wantEachOnce(t, v.all(), n)
		})
	}
}

// onlyAfter asks f only when the first attempt has recovered: before, an error is Start's.
func onlyAfter(v *vault, f func(string) error) func(string) error {
	return func(step string) error {
		if v.recovers == 0 {
			return nil
		}
		return f(step)
	}
}

// What a stopped job has prepared is public when it has stopped, and a start with another number of tasks goes on behind it.
func TestAStopPublishes(t *testing.T) {
	v, dir := newVault(), t.TempDir()
	const n = 90_000
	for i, parallelism := range []int{3, 1, 2, 4} {
		q, err := numbers(n, v).Start(t.Context(), millrace.Config{Parallelism: parallelism, StateDir: dir, BatchRecords: 8, LaneBatches: 1})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-v.became:
		case <-q.Done():
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(v.pending) != 0 {
			t.Fatalf("%d transactions are left open by a job that has stopped", len(v.pending))
		}
		if v.restored == 0 && i > 0 {
			t.Fatal("the sink was not told from which epoch the attempt starts")
		}
	}
	run(t, numbers(n, v), millrace.Config{Parallelism: 2, StateDir: dir})
	wantEachOnce(t, v.all(), n)
}

// Between two epochs nothing of a transactional sink is public, and epochs are 20 ms apart when nobody said otherwise.
func TestOutputWaitsForItsEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		j := millrace.NewJob("rate")
		j.From("rate", sources.Rate(sources.RateConfig{RowsPerSecond: 1000, Partitions: 1})).
			Map("value", func(r sources.RateRow) int { return int(r.Value) }).
			To("vault", v)
		q, err := j.Start(t.Context(), millrace.Config{Parallelism: 1, StateDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		commits, public := len(v.commits), len(v.all())
		if commits < 45 || commits > 51 || public < 950 {
			t.Errorf("%d commits with %d records in a second, want one each 20 ms and nearly 1,000 records", commits, public)
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestATransactionalSinkNeedsEpochs(t *testing.T) {
	_, err := numbers(1, newVault()).Start(t.Context(), millrace.Config{Guarantee: millrace.AtMostOnce})
	if err == nil || !strings.Contains(err.Error(), `operator "vault": the sink publishes with each epoch, and at-most-once has no epochs`) {
		t.Errorf("error %v, want one that names the operator and the remedy", err)
	}
}

// A checkpoint that holds prepared output is not given to a sink that would never publish it.
func TestPreparedOutputIsNotForgotten(t *testing.T) {
	v, dir := newVault(), t.TempDir()
	v.fault = func(step string) error {
		if step == "commit" {
			return errors.New("no")
		}
		return nil
	}
	q, err := numbers(100, v).Start(t.Context(), millrace.Config{Parallelism: 1, StateDir: dir, RestartsMax: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err == nil || !strings.Contains(err.Error(), "commit sink") {
		t.Fatalf("error %v, want that of the commit", err)
	}
	_, err = numbers(100, plain{v}).Start(t.Context(), millrace.Config{Parallelism: 1, StateDir: dir})
	if err == nil || !strings.Contains(err.Error(), `"vault"`) {
		t.Errorf("error %v, want one that names the operator", err)
	}
	v.fault = nil
	run(t, numbers(100, v), millrace.Config{Parallelism: 2, StateDir: dir})
	wantEachOnce(t, v.all(), 100)
}

// plain is a vault as a sink without transactions.
type plain struct{ v *vault }

func (p plain) Open(context.Context, sinks.Instance) (sinks.Writer[int], error) {
	return &memory[int]{}, nil
}

// uncommitted is a source that reads what may be taken back.
type uncommitted struct{ sources.Source[int] }

func (uncommitted) ReadsUncommitted() bool { return true }

// expiring is a vault that gives up what was not committed in time.
type expiring struct{ *vault }

func (expiring) PreparedFor() time.Duration { return time.Minute }

func TestWhatCannotBeExactlyOnceIsRefused(t *testing.T) {
	j := millrace.NewJob("refused")
	j.From("dirty", uncommitted{sources.Slice(1)}).Map("same", func(n int) int { return n }).To("vault", expiring{newVault()})
	_, err := j.Start(t.Context(), millrace.Config{})
	for _, want := range []string{
		`operator "vault": what the sink has prepared is given up after 1m0s, and it may have to wait 1m20.04s`,
		`operator "vault": its sink publishes exactly once, but source "dirty" reads what may never be committed`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want in it: %s", err, want)
		}
	}
	j = millrace.NewJob("allowed")
	j.From("dirty", uncommitted{sources.Slice(1)}).To("vault", expiring{newVault()})
	run(t, j, millrace.Config{Guarantee: millrace.AtLeastOnce, EpochTimeout: 10 * time.Second})
}
