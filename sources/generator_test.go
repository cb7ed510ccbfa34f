package sources_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

func batchOf[T any](n int) *sources.Batch[T] {
	return &sources.Batch[T]{Records: make([]flow.Record[T], 0, n)}
}

func open[T any](t testing.TB, src sources.Source[T], s flow.Split, from flow.Position) sources.Reader[T] {
	t.Helper()
	r, err := src.Open(context.Background(), s, from)
	if err != nil {
		t.Fatalf("open split %q: %v", s.ID, err)
	}
	return r
}

func splitsOf[T any](t testing.TB, src sources.Source[T], known ...string) []flow.Split {
	t.Helper()
	s, err := src.Splits(context.Background(), known)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRateIsGapFreeOverRestarts reads the partitions in a random order with restarts, and with the rate and the number
// of partitions in the configuration changed in between.
func TestRateIsGapFreeOverRestarts(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	src := sources.Rate(sources.RateConfig{RowsPerSecond: 1000, Partitions: 4})
	splits := splitsOf(t, src)
	at := make([]flow.Position, len(splits))
	for i, s := range splits {
		at[i] = s.Start
	}
	now := time.Now()
	var got []int64
	var lastNS [4]int64
	for range 200 {
		if rng.IntN(3) == 0 {
			src = sources.Rate(sources.RateConfig{RowsPerSecond: 1 + rng.Int64N(3000), Partitions: 1 + rng.IntN(9)})
			if again := splitsOf(t, src, "0", "1", "2", "3"); len(again) > 0 {
				t.Fatalf("seed %d: splits %v found again", seed, again)
			}
		}
		now = now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
		p := rng.IntN(len(splits))
		r := open(t, src, splits[p], at[p]).(sources.Poller[sources.RateRow])
		b := batchOf[sources.RateRow](1 + rng.IntN(9))
		wake, err := r.Poll(now.UnixNano(), b)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Records) < cap(b.Records) && wake <= now.UnixNano() {
			t.Fatalf("seed %d: not full and woken at %d, now %d", seed, wake, now.UnixNano())
		}
		for _, rec := range b.Records {
			if rec.Value.Value%4 != int64(p) {
				t.Fatalf("seed %d: partition %d gave %d", seed, p, rec.Value.Value)
			}
			if rec.TimeNS > now.UnixNano() || rec.TimeNS < lastNS[p]-1 || rec.Value.Timestamp.UnixNano() != rec.TimeNS {
				t.Fatalf("seed %d: value %d has time %d behind %d, now %d", seed, rec.Value.Value, rec.TimeNS, lastNS[p], now.UnixNano())
			}
			lastNS[p] = rec.TimeNS
			got = append(got, rec.Value.Value)
		}
		at[p] = slices.Clone(b.Next)
	}
	slices.Sort(got)
	next := make(map[int64]int64)
	for _, v := range got {
		if p := v % 4; v != next[p]*4+p {
			t.Fatalf("seed %d: partition %d gave %d, want %d", seed, p, v, next[p]*4+p)
		}
		next[v%4]++
	}
	if len(got) < 50 {
		t.Fatalf("seed %d: only %d values", seed, len(got))
	}
}

// TestRateTimes checks the due times, one by one, against exact arithmetic.
func TestRateTimes(t *testing.T) {
	for _, perSecond := range []int64{1, 3, 7, 1000, 999_983, 1_000_000_000} {
		src := sources.Rate(sources.RateConfig{RowsPerSecond: perSecond, Partitions: 5})
		r := open(t, src, splitsOf(t, src)[3], nil).(sources.Poller[sources.RateRow])
		b := batchOf[sources.RateRow](64)
		wake, _ := r.Poll(time.Now().UnixNano(), b)
		b.Reset()
		_, _ = r.Poll(time.Now().Add(1000*time.Second).UnixNano(), b)
		if wake == 0 && perSecond < 1000 {
			t.Errorf("rate %d: nothing to wait for", perSecond)
		}
		first := b.Records[0]
		start := first.TimeNS - first.Value.Value*1_000_000_000/perSecond
		for _, rec := range b.Records {
			q, rest := rec.Value.Value/perSecond, rec.Value.Value%perSecond
			if want := start + q*1_000_000_000 + rest*1_000_000_000/perSecond; rec.TimeNS != want {
				t.Fatalf("rate %d: value %d is due at %d, want %d", perSecond, rec.Value.Value, rec.TimeNS, want)
			}
		}
	}
}

// TestRateIsPaced polls as an engine does and counts what came by then.
func TestRateIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := sources.Rate(sources.RateConfig{RowsPerSecond: 100})
		s := splitsOf(t, src)[0]
		r := open(t, src, s, s.Start)
		begin := time.Now()
		var n int
		for n < 301 {
			b := batchOf[sources.RateRow](10)
			if err := r.Read(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			n += len(b.Records)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("301 rows at 100/s took %v, want 3s", took)
		}
	})
}

func TestGeneratorRefusesWrongConfiguration(t *testing.T) {
	for name, src := range map[string]any{
		"function is nil":        sources.Generate[int](sources.GeneratorConfig{}, nil),
		"splits -1":              sources.Generate(sources.GeneratorConfig{Splits: -1}, square),
		"rate 2000000000/s":      sources.Generate(sources.GeneratorConfig{PerSecond: 2_000_000_000}, square),
		"rate -5/s":              sources.Rate(sources.RateConfig{RowsPerSecond: -5}),
		"iterator is nil":        sources.Seq[int](nil),
		"channel: it is nil":     sources.Channel[int](nil),
		"no path":                sources.Lines(sources.LinesConfig{}),
		"no such file":           sources.Lines(sources.LinesConfig{Path: "/no/such/file"}),
		"is a directory":         sources.Lines(sources.LinesConfig{Path: "/"}),
		"throttle: rate 0/s":     sources.Throttle(sources.Slice(1), 0),
		"first: count -1":        sources.First(sources.Slice(1), -1),
		"generator: splits 0, r": sources.First(sources.Throttle(sources.Rate(sources.RateConfig{RowsPerSecond: -1}), 5), 5),
	} {
		err := src.(sources.Checker).Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error with %q", err, name)
		}
	}
}

func TestDamagedPositionsAreRefused(t *testing.T) {
	damaged := flow.Position{0xff, 0x01, 0x80}
	path := write(t, poem)
	split := flow.Split{ID: path, Start: damaged}
	check := func(name string, err error) {
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %v, want a damaged position", name, err)
		}
	}
	_, err := sources.Rate(sources.RateConfig{}).Open(t.Context(), split, damaged)
	check("rate", err)
	_, err = sources.Slice(1).Open(t.Context(), split, damaged)
	check("slice", err)
	_, err = sources.Lines(sources.LinesConfig{Path: path}).Open(t.Context(), split, damaged)
	check("lines", err)
	_, err = sources.First(sources.Slice(1), 1).Open(t.Context(), split, flow.Position{0x80})
	check("first", err)
	if _, err = sources.Slice(1).Open(t.Context(), split, flow.Position{4}); err == nil {
		t.Error("slice: position behind its end accepted")
	}
	if _, err = sources.Seq(slices.Values([]int{1})).Open(t.Context(), split, flow.Position{4}); err == nil {
		t.Error("sequence: position behind its end accepted")
	}
}

// TestSeqHandsOverEachValueOfASlowIterator: a value must not wait in a half-full batch for the next one.
func TestSeqHandsOverEachValueOfASlowIterator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := sources.Seq(func(yield func(int) bool) {
			for i := range 50 {
				<-time.After(time.Second) // the bubble's clock
				if !yield(i) {
					return
				}
			}
		})
		r := open(t, src, splitsOf(t, src)[0], nil)
		defer r.Close()
		for i := range 50 {
			b := batchOf[int](8)
			begin := time.Now()
			if err := r.Read(t.Context(), b); err != nil || len(b.Records) != 1 || b.Records[0].Value != i {
				t.Fatalf("read %d: %d records, %v", i, len(b.Records), err)
			}
			if took := time.Since(begin); took != time.Second {
				t.Fatalf("value %d took %v", i, took)
			}
		}
		if err := r.Read(t.Context(), batchOf[int](8)); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	for name, perSecond := range map[string]int64{"unlimited": 0, "paced": 1_000_000_000} {
		b.Run(name, func(b *testing.B) {
			src := sources.Generate(sources.GeneratorConfig{PerSecond: perSecond, Splits: 3}, func(i int64) int64 { return i })
			s := splitsOf(b, src)[1]
			r := open(b, src, s, s.Start).(sources.Poller[int64])
			batch := batchOf[int64](256)
			far := time.Now().Add(24 * time.Hour).UnixNano()
			b.ReportAllocs()
			for n := 0; n < b.N; n += 256 {
				batch.Records = batch.Records[:0]
				if _, err := r.Poll(far, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestGeneratorDoesNotAllocate(t *testing.T) {
	src := sources.Generate(sources.GeneratorConfig{PerSecond: 1_000_000_000}, func(i int64) int64 { return i })
	r := open(t, src, splitsOf(t, src)[0], nil).(sources.Poller[int64])
	b := batchOf[int64](256)
	far := time.Now().Add(24 * time.Hour).UnixNano()
	_, _ = r.Poll(far, b)
	if n := testing.AllocsPerRun(100, func() { b.Reset(); _, _ = r.Poll(far, b) }); n != 0 {
		t.Errorf("%v allocations a poll, want 0", n)
	}
}
