package sources_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/millrace-io/millrace/sources"
)

// TestChannelIsAtItsEndWhenItIsEmpty: with the records that emptied it, or once alone, and not while more is there.
func TestChannelIsAtItsEndWhenItIsEmpty(t *testing.T) {
	ch := make(chan int, 10)
	src := sources.Channel(ch)
	split := splitsOf(t, src)[0]
	r := open(t, src, split, split.Start)
	defer r.Close()
	for i, step := range []struct {
		send, most, got int
		atEnd           bool
	}{
		{0, 4, 0, true}, {2, 4, 2, true}, {5, 4, 4, false}, {0, 4, 1, true}, {4, 4, 4, false}, {0, 4, 0, true}, {1, 4, 1, true},
	} {
		for range step.send {
			ch <- i
		}
		b := batchOf[int](step.most)
		if err := r.Read(t.Context(), b); err != nil || len(b.Records) != step.got || b.AtEnd != step.atEnd {
			t.Fatalf("step %d: got %d records, at end %v, error %v", i, len(b.Records), b.AtEnd, err)
		}
	}
	ctx, cancel := contextCancelled()
	defer cancel()
	if err := r.Read(ctx, batchOf[int](4)); !errors.Is(err, context.Canceled) {
		t.Errorf("told once that it is at its end, it says %v", err)
	}
	close(ch)
	b := batchOf[int](4)
	if err := r.Read(t.Context(), b); !errors.Is(err, io.EOF) || b.AtEnd {
		t.Errorf("closed: at end %v, error %v", b.AtEnd, err)
	}
}

// TestGeneratorIsAtItsEndBetweenTwoRecords and never while a record is due.
func TestGeneratorIsAtItsEndBetweenTwoRecords(t *testing.T) {
	src := sources.Generate(sources.GeneratorConfig{PerSecond: 1}, func(i int64) int64 { return i })
	split := splitsOf(t, src)[0]
	p := open(t, src, split, split.Start).(sources.Poller[int64])
	b := batchOf[int64](1)
	if _, err := p.Poll(0, b); err != nil || !b.AtEnd || len(b.Records) > 0 {
		t.Fatalf("before its start: %d records, at end %v, error %v", len(b.Records), b.AtEnd, err)
	}
	first, _ := p.Poll(0, b)
	for i, c := range []struct {
		now   int64
		got   int
		atEnd bool
	}{{first, 1, true}, {first + 1, 0, true}, {first + 3e9, 1, false}, {first + 3e9, 1, false}, {first + 3e9, 1, true}} {
		b.Reset()
		if _, err := p.Poll(c.now, b); err != nil || len(b.Records) != c.got || b.AtEnd != c.atEnd {
			t.Errorf("poll %d: %d records, at end %v, error %v; want %+v", i, len(b.Records), b.AtEnd, err, c)
		}
	}
}

// TestOnlySomeHaveBatches: a wrapper has the ability when what it wraps has it.
func TestOnlySomeHaveBatches(t *testing.T) {
	ch := make(chan int)
	for name, c := range map[string]struct {
		src  sources.Source[int]
		want bool
	}{
		"slice":            {sources.Slice(1), true},
		"channel":          {sources.Channel(ch), false},
		"throttled slice":  {sources.Throttle(sources.Slice(1), 1), true},
		"first of channel": {sources.First(sources.Channel(ch), 1), false},
		"first, throttled": {sources.Throttle(sources.First(sources.Slice(1), 1), 1), true},
	} {
		if _, ok := sources.BounderOf(c.src); ok != c.want {
			t.Errorf("%s has batches: %v", name, ok)
		}
	}
}

// TestFirstOverBatchesIsExact: splits read in batches in turns give n records together, also when a split is skipped.
func TestFirstOverBatchesIsExact(t *testing.T) {
	for n := range int64(30) {
		src := sources.First(sources.Generate(sources.GeneratorConfig{Splits: 3, Count: 24}, func(i int64) int64 { return i }), n)
		b, _ := sources.BounderOf(src)
		splits := splitsOf(t, src)
		given := int64(0)
		for ended := 0; ended < len(splits); {
			ended = 0
			var todo []int
			untils := map[int][]byte{}
			for i, s := range splits {
				until, err := b.Latest(t.Context(), s, s.Start, 2)
				if err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if string(until) == string(s.Start) {
					ended++
					continue
				}
				untils[i], todo = until, append(todo, i)
			}
			for _, i := range todo {
				r, err := b.OpenUntil(t.Context(), splits[i], splits[i].Start, untils[i])
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					batch := batchOf[int64](2)
					err = r.Read(t.Context(), batch)
					given += int64(len(batch.Records))
					splits[i].Start = batch.Next
				}
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				r.Close()
			}
		}
		if want := min(n, 24); given != want {
			t.Errorf("got %d records, want %d", given, want)
		}
	}
}
