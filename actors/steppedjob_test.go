package actors

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// keeper is a writer that keeps what it is given.
type keeper struct{ got []int }

func (k *keeper) Write(_ context.Context, b *flow.Batch[int]) error {
	for i := range b.Records {
		k.got = append(k.got, b.Records[i].Value)
	}
	return nil
}
func (k *keeper) Flush(context.Context) error { return nil }
func (k *keeper) Close() error                { return nil }

// stepThrough runs a job of twenty records with steps drawn from the seed, at most so many, and says how many it took and in what order.
func stepThrough(t *testing.T, seed uint64, store checkpoint.Store, most int) (k *keeper, order []Unit, over bool) {
	t.Helper()
	now, k := int64(1), &keeper{}
	log, err := checkpoint.Open(t.Context(), checkpoint.Options{Store: store, Job: "stepped"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{source: sources.Slice(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), writer: k}
	s := StepJob(JobConfig{
		Name: "stepped", Log: log, Mode: barrier.ExactlyOnce, Build: r.build, EpochTimeout: time.Second, FailuresMax: 3,
		CommitEvery: time.Millisecond, FoldEvery: 10 * time.Millisecond, RestartMin: time.Millisecond, RestartMax: time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), Now: func() int64 { return now },
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	for len(order) < most && !s.Over() {
		units := s.Runnable(now, nil)
		if len(units) == 0 {
			if now = s.NextNS(); now == math.MaxInt64 {
				t.Fatalf("seed %d: nothing can take a step after %d, and the job is %v", seed, len(order), s.Status())
			}
			continue
		}
		u := units[rng.IntN(len(units))]
		order = append(order, u)
		s.Take(u, now)
	}
	over = s.Over()
	s.Kill()
	if err := s.Err(); over && err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return k, order, over
}

func newStore(t *testing.T) checkpoint.Store {
	t.Helper()
	s, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestASteppedJobIsTheSameForTheSameSteps(t *testing.T) {
	seed := rand.Uint64()
	first, order, over := stepThrough(t, seed, newStore(t), math.MaxInt)
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !over || !slices.Equal(first.got, want) {
		t.Fatalf("seed %d: over %t, wrote %v, want %v", seed, over, first.got, want)
	}
	if _, again, _ := stepThrough(t, seed, newStore(t), math.MaxInt); !slices.Equal(order, again) {
		t.Fatalf("seed %d: the steps are %v, then %v", seed, order, again)
	}
}

// A process that is killed after any step leaves nothing running, and the next goes on from its newest complete epoch.
func TestASteppedJobGoesOnAfterAKill(t *testing.T) {
	seed := rand.Uint64()
	for kill := 0; ; kill++ {
		store := newStore(t)
		if _, _, over := stepThrough(t, seed, store, kill); over {
			return
		}
		k, _, over := stepThrough(t, seed+1, store, math.MaxInt)
		if !over || !slices.IsSorted(k.got) {
			t.Fatalf("seed %d, killed after step %d: over %t, wrote %v", seed, kill, over, k.got)
		}
	}
}
