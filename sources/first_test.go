package sources_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// steps drives the splits of a First in a random order, with a random cut of positions now and then from which all of
// them are restored, as after a crash; what was given behind the cut is forgotten. At the end exactly n records must
// have been given, each split's in order without a gap.
func firstOverRestarts(t *testing.T, seed uint64, polled bool) {
	rng := rand.New(rand.NewPCG(seed, 2))
	const splitCount = 3
	n := int64(rng.IntN(60))
	src := sources.First(manySplits(splitCount, polled), n)
	splits := splitsOf(t, src)
	known := []string{}
	cut, kept := make([]flow.Position, splitCount), make([][]int64, splitCount)
	at, given := make([]flow.Position, splitCount), make([][]int64, splitCount)
	for i, s := range splits {
		cut[i], at[i] = s.Start, s.Start
		known = append(known, s.ID)
	}
	for attempt := 0; ; attempt++ {
		readers := make([]sources.Reader[int64], splitCount)
		for _, i := range rng.Perm(splitCount) {
			readers[i] = open(t, src, splits[i], cut[i])
			at[i], given[i] = cut[i], slices.Clone(kept[i])
		}
		ended := make([]bool, splitCount)
		for step := 0; slices.Contains(ended, false); step++ {
			if attempt < 5 && rng.IntN(15) == 0 {
				break
			}
			i := rng.IntN(splitCount)
			if ended[i] {
				continue
			}
			b := batchOf[int64](1 + rng.IntN(6))
			err := readers[i].Read(t.Context(), b)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, rec := range b.Records {
				given[i] = append(given[i], rec.Value)
			}
			at[i], ended[i] = slices.Clone(b.Next), err != nil
			if rng.IntN(4) == 0 { // an epoch: each split's position is at or before where it stands
				j := rng.IntN(splitCount)
				cut[j], kept[j] = at[j], slices.Clone(given[j])
			}
		}
		done := !slices.Contains(ended, false)
		for _, r := range readers {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if done {
			break
		}
		if rng.IntN(2) == 0 { // another process
			src = sources.First(manySplits(splitCount, polled), n)
		}
		if found := splitsOf(t, src, known...); len(found) > 0 {
			t.Fatalf("seed %d: found %v again", seed, found)
		}
	}
	var sum int
	for i, vs := range given {
		sum += len(vs)
		for k, v := range vs {
			if v != int64(i)+int64(k)*splitCount {
				t.Fatalf("seed %d: split %d gave %d as its record %d", seed, i, v, k)
			}
		}
	}
	if int64(sum) != n {
		t.Fatalf("seed %d: %d records, want %d: %v", seed, sum, n, given)
	}
}

func manySplits(n int, polled bool) sources.Source[int64] {
	src := sources.Generate(sources.GeneratorConfig{Splits: n}, func(i int64) int64 { return i })
	if polled {
		return src
	}
	return reading[int64]{src}
}

// reading hides that the readers of a source can be polled.
type reading[T any] struct{ sources.Source[T] }

func (r reading[T]) Open(ctx context.Context, s flow.Split, from flow.Position) (sources.Reader[T], error) {
	inner, err := r.Source.Open(ctx, s, from)
	return struct{ sources.Reader[T] }{inner}, err
}

func TestFirstIsExactOverRestarts(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		firstOverRestarts(t, seed, seed%2 == 0)
	}
}

// TestFirstEndsReadersThatWait: when others have given all the records, a split without input ends too.
func TestFirstEndsReadersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, busy := make(chan int), make(chan int, 5)
		src := sources.First[int](&twoChannels{map[string]chan int{"idle": idle, "busy": busy}}, 5)
		var wg sync.WaitGroup
		counts := map[string]*int{"idle": new(int), "busy": new(int)}
		for _, s := range splitsOf(t, src) {
			r := open(t, src, s, s.Start)
			wg.Go(func() {
				defer r.Close()
				for {
					b := batchOf[int](4)
					err := r.Read(t.Context(), b)
					*counts[s.ID] += len(b.Records)
					if errors.Is(err, io.EOF) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		synctest.Wait()
		for i := range 5 {
			busy <- i
		}
		wg.Wait()
		if *counts["busy"] != 5 || *counts["idle"] != 0 {
			t.Errorf("busy gave %d, idle %d", *counts["busy"], *counts["idle"])
		}
	})
}

// twoChannels is a source with a split per channel.
type twoChannels struct{ chans map[string]chan int }

func (c *twoChannels) Splits(context.Context, []string) ([]flow.Split, error) {
	return []flow.Split{{ID: "busy"}, {ID: "idle"}}, nil
}

func (c *twoChannels) Open(ctx context.Context, s flow.Split, from flow.Position) (sources.Reader[int], error) {
	return sources.Channel(c.chans[s.ID]).Open(ctx, s, from)
}

// TestFirstWaitsForAllSplits: until every known split is open its count is unknown, and nothing may be read.
func TestFirstWaitsForAllSplits(t *testing.T) {
	src := sources.First(manySplits(2, false), 10)
	splits := splitsOf(t, src)
	r := open(t, src, splits[0], splits[0].Start)
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := batchOf[int64](4)
	if err := r.Read(ctx, b); !errors.Is(err, context.Canceled) || len(b.Records) > 0 {
		t.Fatalf("read %d records, %v", len(b.Records), err)
	}
	other := open(t, src, splits[1], splits[1].Start)
	defer other.Close()
	if err := r.Read(t.Context(), b); err != nil || len(b.Records) != 4 {
		t.Fatalf("read %d records, %v", len(b.Records), err)
	}
}

// TestThrottleIsSharedBySplits measures the records of several splits in a second of the bubble's clock.
func TestThrottleIsSharedBySplits(t *testing.T) {
	for _, polled := range []bool{true, false} {
		for _, perSecond := range []int64{1, 30, 1000, 100_000} {
			synctest.Test(t, func(t *testing.T) { throttled(t, polled, perSecond) })
		}
	}
}

func throttled(t *testing.T, polled bool, perSecond int64) {
	const seconds = 3
	src := sources.Throttle(manySplits(3, polled), perSecond)
	ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
	defer cancel()
	var mu sync.Mutex
	var total int64
	var wg sync.WaitGroup
	for _, s := range splitsOf(t, src) {
		r := open(t, src, s, s.Start)
		wg.Go(func() {
			defer r.Close()
			for ctx.Err() == nil {
				b := batchOf[int64](64)
				if err := r.Read(ctx, b); err != nil {
					return
				}
				mu.Lock()
				total += int64(len(b.Records))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slack := max(perSecond/100, 1) + 3*64
	if perSecond < 1000 {
		slack = 2
	}
	if want := perSecond * seconds; total < want-slack || total > want+slack {
		t.Errorf("polled %v: %d records in %d s at %d/s", polled, total, seconds, perSecond)
	}
}

// discovering is a source that finds splits while it runs.
type discovering struct{ sources.Source[int] }

func (discovering) DiscoverEveryNS() int64 { return 1 }

// The engine waits for splits that may still be found; a source that ends must find none.
func TestFirstFindsNoSplitsWhileRunning(t *testing.T) {
	var src any = sources.First[int](discovering{sources.Slice(1, 2, 3)}, 2)
	if d, ok := src.(sources.Discoverer); ok && d.DiscoverEveryNS() != 0 {
		t.Errorf("looks for splits every %d ns", d.DiscoverEveryNS())
	}
}

// TestThrottleSharesEvenly polls three splits always in the same order, as soon as they want it: none may get all that there is.
// One without records, and one that is not polled any more, hold back none of the others.
func TestThrottleSharesEvenly(t *testing.T) {
	for _, perSecond := range []int64{1, 30, 1000, 100_000} {
		src := sources.Throttle[int64](&lastIsEmpty{Source: manySplits(5, true), left: 4}, perSecond)
		var pollers []sources.Poller[int64]
		for _, s := range splitsOf(t, src) {
			r := open(t, src, s, s.Start)
			defer r.Close()
			pollers = append(pollers, r.(sources.Poller[int64]))
		}
		const seconds, stopped = 30, 3
		given, wakes := make([]int64, len(pollers)), make([]int64, len(pollers))
		start := time.Unix(1000, 0).UnixNano()
		for now := start; now < start+seconds*int64(time.Second); now = slices.Min(wakes) {
			for i, p := range pollers {
				if wakes[i] > now {
					continue
				}
				b := batchOf[int64](64)
				wake, err := p.Poll(now, b)
				if err != nil {
					t.Fatal(err)
				}
				wakes[i] = max(wake, now+1000)
				if given[i] += int64(len(b.Records)); i == stopped && now > start+int64(time.Second) {
					wakes[i] = start + 2*seconds*int64(time.Second)
				}
			}
		}
		low, high := slices.Min(given[:stopped]), slices.Max(given[:stopped])
		if total := low + high + given[1]; high-low > max(perSecond/10, 2) || total < perSecond*(seconds-2) {
			t.Errorf("%d/s for %d s: the splits gave %d", perSecond, seconds, given)
		}
	}
}

// lastIsEmpty gives the readers it opens behind the first few no records.
type lastIsEmpty struct {
	sources.Source[int64]
	left int
}

func (l *lastIsEmpty) Open(ctx context.Context, s flow.Split, from flow.Position) (sources.Reader[int64], error) {
	r, err := l.Source.Open(ctx, s, from)
	if l.left--; l.left < 0 {
		r = silent{r}
	}
	return r, err
}

type silent struct{ sources.Reader[int64] }

func (silent) Poll(nowNS int64, _ *sources.Batch[int64]) (int64, error) {
	return nowNS + int64(time.Millisecond), nil
}
