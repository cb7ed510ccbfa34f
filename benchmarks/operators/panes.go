package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/sources"
)

// Sliding windows share what they have in common, so a record should cost about the same however many windows it is in. Both
// contestants are Millrace: windows of 10 slides, and of 1,000. They emit as many panes: one for each key and slide.
const (
	paneSlide = 100 * time.Millisecond
	fewPanes  = 10
	manyPanes = 1_000
	// paneRecords are measured at -seconds 1.
	paneRecords = 3_000_000
)

type windowed = millrace.Windowed[string, timed.Event]

// spread is the accumulator of a user's merge.
type spread struct{ Least, Greatest, Records int64 }

func (s spread) add(e timed.Event) spread {
	return spread{e.Val, e.Val, 1}.merge(s)
}

func (s spread) merge(o spread) spread {
	switch {
	case s.Records == 0:
		return o
	case o.Records == 0:
		return s
	}
	return spread{min(s.Least, o.Least), max(s.Greatest, o.Greatest), s.Records + o.Records}
}

// paneCases are the aggregations.
var paneCases = []struct {
	name string
	to   func(w windowed, rows *int64)
}{
	{"sum", func(w windowed, rows *int64) { countPanes(w.Sum("panes", timed.Event.Value), rows) }},
	{"max", func(w windowed, rows *int64) { countPanes(w.Max("panes", timed.Event.Value), rows) }},
	{"user merge", func(w windowed, rows *int64) {
		countPanes(w.Aggregate("panes", spread.add, spread.merge), rows)
	}},
}

func countPanes[V any](p millrace.Panes[string, V], rows *int64) {
	p.To("end", timed.Each(func(millrace.Pane[string, V]) { *rows++ }), millrace.Append)
}

// panes measures all cases; the ratio is that of the processor time of a record.
func panes(ctx context.Context, w, progress io.Writer, o harness.Options) (result, error) {
	all := newResult("panes")
	for _, c := range paneCases {
		side := func(slides int) harness.Contestant {
			return harness.Contestant{Name: paneName(slides), Throughput: func(ctx context.Context) (harness.Sample, error) {
				return paneWindow(ctx, slides, int64(o.Seconds*paneRecords), c.to)
			}}
		}
		b := harness.Benchmark{Name: "panes: " + c.name, Base: side(fewPanes), Subject: side(manyPanes)}
		if err := all.add(ctx, w, progress, o, c.name, b); err != nil {
			return all, err
		}
	}
	return all, nil
}

func paneName(slides int) string { return fmt.Sprintf("%d panes", slides) }

// paneWindow runs a job over windows of some slides and measures n records behind those that fill the first window. The end of the job, when all windows
// that are open would leave, does not come.
func paneWindow(ctx context.Context, slides int, n int64, to func(windowed, *int64)) (harness.Sample, error) {
	fill := int64(time.Duration(slides) * paneSlide / time.Second * timed.PerSecond)
	r := &markedReader{Reader: timed.NewReader(math.MaxInt64), from: fill, to: fill + n, done: make(chan harness.Sample, 1)}
	var rows int64
	query, err := timed.Start(ctx, timed.OneSplit[timed.Event](r), func(in millrace.Stream[timed.Event]) {
		to(in.KeyBy(timed.Event.User).Window(millrace.Sliding{Size: time.Duration(slides) * paneSlide, Slide: paneSlide}), &rows)
	})
	if err != nil {
		return harness.Sample{}, err
	}
	var s harness.Sample
	select {
	case s = <-r.done:
	case <-query.Done():
	}
	if err := query.Stop(context.WithoutCancel(ctx)); err != nil {
		return s, err
	}
	if want := (fill + n) * 9 / 10; s.Records > 0 && rows < want {
		return s, fmt.Errorf("%d panes left, want at least %d: one for each record", rows, want)
	}
	return s, ctx.Err()
}

// markedReader measures from one record to another, on the task's loop. What waits in the lanes then, some thousand records, is at
// either end about as much.
type markedReader struct {
	*timed.Reader
	from, to int64
	usage    harness.Usage
	begun    bool
	done     chan harness.Sample
}

// Poll implements sources.Poller.
func (r *markedReader) Poll(nowNS int64, b *sources.Batch[timed.Event]) (int64, error) {
	switch at := r.At(); {
	case !r.begun && at >= r.from:
		r.begun, r.from, r.to = true, at, r.to+at-r.from
		r.usage = harness.StartUsage()
	case r.begun && at >= r.to:
		r.to = math.MaxInt64
		r.done <- r.usage.Until(at - r.from)
	}
	return r.Reader.Poll(nowNS, b)
}
