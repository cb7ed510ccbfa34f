package workload

import (
	"errors"
	"io"
	"testing"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// open makes the reader of a load's only split.
func open(t *testing.T, l Load) (sources.Reader[Event], *Generator) {
	t.Helper()
	g, err := l.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	src := Source(g)
	splits, err := src.Splits(t.Context(), nil)
	if err != nil || len(splits) != 1 {
		t.Fatalf("splits are %v (%v), want one", splits, err)
	}
	if again, _ := src.Splits(t.Context(), []string{splits[0].ID}); len(again) != 0 {
		t.Errorf("%v is found again", again)
	}
	r, err := src.Open(t.Context(), splits[0], splits[0].Start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(t.Context(), splits[0], nil); err == nil {
		t.Error("a second reader would begin in the middle, but is opened")
	}
	return r, g
}

// all calls read until the end and returns how many records it gave.
func all(t *testing.T, read func(b *sources.Batch[Event]) error) (n int) {
	t.Helper()
	b := sources.Batch[Event]{Records: make([]flow.Record[Event], 0, 100)}
	for {
		b.Reset()
		err := read(&b)
		if n += len(b.Records); len(b.Records) > 0 && len(b.Next) != 8 {
			t.Fatalf("position behind record %d is %x, want 8 bytes", n, b.Next)
		}
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosedLoopIsPolled(t *testing.T) {
	r, _ := open(t, Load{Keys: Keys(300), Records: 1000})
	p, ok := r.(sources.Poller[Event])
	if !ok {
		t.Fatal("the reader of a closed loop cannot be polled")
	}
	n := all(t, func(b *sources.Batch[Event]) error {
		wakeAt, err := p.Poll(harness.NowNS(), b)
		if wakeAt != 0 {
			t.Fatalf("wants to be called at %d, but always has more", wakeAt)
		}
		return err
	})
	if n != 1300 {
		t.Errorf("%d records, want 300 of the fill and 1000", n)
	}
}

func TestOpenLoopIsReadTickByTick(t *testing.T) {
	r, _ := open(t, Load{Keys: Keys(300), Records: 500, RatePerSecond: 50_000})
	if _, ok := r.(sources.Poller[Event]); ok {
		t.Fatal("the reader of an open loop is polled, and would spin between ticks")
	}
	if n := all(t, func(b *sources.Batch[Event]) error { return r.Read(t.Context(), b) }); n != 800 {
		t.Errorf("%d records, want 300 of the fill and 500", n)
	}
}

func TestStopEndsAReader(t *testing.T) {
	r, g := open(t, Load{Keys: Keys(300), RatePerSecond: 1})
	b := sources.Batch[Event]{Records: make([]flow.Record[Event], 0, 400)}
	ended := make(chan error)
	go func() {
		for {
			b.Reset()
			if err := r.Read(t.Context(), &b); err != nil {
				ended <- err
				return
			}
		}
	}()
	g.Stop()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("reader ends with %v, want io.EOF", err)
	}
}

func TestSinkMeters(t *testing.T) {
	m := newMeter(Load{})
	m.last = map[string]int64{}
	if _, err := Sink(m).Open(t.Context(), sinks.Instance{Operator: "sink", Tasks: 2}); err == nil {
		t.Error("two tasks may write to one meter")
	}
	w, err := Sink(m).Open(t.Context(), sinks.Instance{Operator: "sink", Tasks: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := &flow.Batch[Result]{Records: []flow.Record[Result]{{Value: Result{Key: "a", Count: 1}}, {Value: Result{Key: "a", Count: 2}}}}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if m.Seen() != 2 || m.last["a"] != 2 {
		t.Errorf("meter has seen %d records and %v, want 2 and a:2", m.Seen(), m.last)
	}
	if _, ok := w.(sinks.Inline); !ok {
		t.Error("a histogram never blocks, but its writer is not inline")
	}
}
