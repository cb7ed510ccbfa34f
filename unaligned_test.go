package millrace_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

const (
	pressedRecords = 12_000
	pressedKeys    = 7
)

// pressed is a job whose sink is far slower than its source: key·1e6+count, each once, in order by key.
func pressed(v *vault) *millrace.Job {
	j := millrace.NewJob("pressed")
	numbers := func(id string) millrace.Stream[int] {
		return j.From(id, sources.Generate(sources.GeneratorConfig{Splits: 2, Count: pressedRecords / 2}, func(i int64) int { return int(i) }))
	}
	numbers("left").Union("both", numbers("right")).
		Rebalance("deal").Map("same", func(n int) int { return n }).
		KeyBy(func(n int) int { return n % pressedKeys }).
		Count("count", state.Forever).
		Stream("changes", func(key int, n int64) int { return key*1_000_000 + int(n) }).
		To("vault", v)
	return j
}

// Under full back-pressure epochs complete all the same, and what was under way is neither lost nor repeated nor reordered: whatever fails,
// and with other numbers of tasks.
func TestEpochsPassBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		v, dir := newVault(), t.TempDir()
		var epochs, ahead, records int64
		for run, parallelism := range []int{2, 3, 1, 4} {
			var writes atomic.Int64
			failAt := int64(60 + rng.IntN(100))
			last := run == 3
			v.fault = func(step string) error {
				if step == "write" {
					time.Sleep(5 * time.Millisecond)
					if writes.Add(1) == failAt && !last {
						return errors.New("the vault closes, says the test")
					}
				}
				return nil
			}
			q, err := pressed(v).Start(t.Context(), millrace.Config{
				Parallelism: parallelism, StateDir: dir, BatchRecords: 8, LaneBatches: 8, RestartsMax: -1, UnalignAfter: 10 * time.Millisecond,
				Operators: map[string]millrace.OperatorConfig{"vault": {Parallelism: 1}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Await(t.Context()); (err == nil) != last {
				t.Fatalf("run %d: error %v", run, err)
			}
			p := q.Progress()
			epochs, ahead = int64(p.Epoch), ahead+p.UnalignedEpochs
			for _, o := range p.Operators {
				records += o.ChannelRecords
			}
		}
		t.Logf("%d epochs, %d of them unaligned, with %d records under way", epochs, ahead, records)
		if ahead == 0 || records == 0 {
			t.Errorf("%d epochs unaligned with %d records under way: the test is of nothing", ahead, records)
		}
		wantCounts(t, v.all())
	})
}

// wantCounts wants of each key the counts 1, 2, 3 … in order.
func wantCounts(t *testing.T, got []int) {
	t.Helper()
	next := map[int]int{}
	for i, n := range got {
		key, count := n/1_000_000, n%1_000_000
		if next[key]++; count != next[key] {
			t.Fatalf("row %d: count %d of key %d, want %d", i, count, key, next[key])
		}
	}
	if len(got) != pressedRecords {
		t.Fatalf("%d rows, want %d", len(got), pressedRecords)
	}
}
