package windows_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Windows over state on disk, through a failure, give what they give in memory. A pane that comes again after the failure is the same.
func TestWindowsOnBadger(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	in := make([]ping, invariants.Sized(20_000, 6000))
	for i := range in {
		in[i] = ping{fmt.Sprint(r.IntN(500)), startMS + int64(i) - r.Int64N(50), i}
	}
	for name, w := range map[string]millrace.Windows{
		"tumbling": millrace.Tumbling{Size: 100 * time.Millisecond, Grace: 10 * time.Millisecond},
		"sliding":  millrace.Sliding{Size: time.Second, Slide: 50 * time.Millisecond},
		"session":  millrace.Session{Gap: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			want := panesOf(t, w, in, millrace.Config{Parallelism: 1}, -1)
			got := panesOf(t, w, in, millrace.Config{
				Parallelism: 2, State: millrace.Badger, CacheBytes: 1 << 20, CommitEvery: 10 * time.Millisecond, RestartMin: time.Millisecond,
			}, 100+r.IntN(500))
			if len(want) < 500 || !maps.Equal(got, want) {
				t.Errorf("seed %d: on disk %d panes, in memory %d; they differ", seed, len(got), len(want))
			}
		})
	}
}

// panesOf runs a job whose sink fails once, at its failAt-th pane, and gives the sums of its panes.
func panesOf(t *testing.T, w millrace.Windows, in []ping, c millrace.Config, failAt int) map[string]int {
	t.Helper()
	var mu sync.Mutex // tasks of the sink
	sums := map[string]int{}
	j := millrace.NewJob("on-disk")
	j.From("in", sources.Throttle(sources.Slice(in...), 100_000)).
		EventTime("clock", millrace.Watermark{Delay: 50 * time.Millisecond}, func(p ping) time.Time { return time.UnixMilli(p.At) }).
		KeyBy(pingKey).Window(w).Sum("sum", pingNumber).
		To("out", sinks.Each(func(p millrace.Pane[string, int]) error {
			mu.Lock()
			defer mu.Unlock()
			if failAt--; failAt == 0 {
				return errors.New("the disk is full, says the test")
			}
			row := fmt.Sprint(p.Key, p.Start.UnixMilli(), p.End.UnixMilli())
			if was, ok := sums[row]; ok && was != p.Value {
				return fmt.Errorf("pane %s was %d and is %d", row, was, p.Value)
			}
			sums[row] = p.Value
			return nil
		}), millrace.Append)
	q, err := j.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil || failAt > 0 {
		t.Fatalf("error %v, %d panes until the failure", err, failAt)
	}
	return sums
}
