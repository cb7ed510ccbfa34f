package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// throughput runs n events in a closed loop. The start and the end of the job, when all windows leave, are in the measured window.
func (j job) throughput(ctx context.Context, n int64) (s harness.Sample, rows timed.End, err error) {
	g, err := newGenerator(n, false)
	if err != nil {
		return s, rows, err
	}
	m := newMeter(g)
	u := harness.StartUsage()
	if err := j(ctx, g, m); err != nil {
		return s, rows, err
	}
	s = u.Until(n)
	if m.rows.Rows == 0 {
		return s, rows, fmt.Errorf("no pane came out of %d records", n)
	}
	return s, m.rows, nil
}

var errEnded = errors.New("job ended before its measured window did")

// latency runs the job in an open loop around one measured window: fill, warm up, collect, measure, stop, drain. Its records are those
// that the source emitted on its schedule.
func (j job) latency(ctx context.Context, o harness.Options) (s harness.Sample, err error) {
	g, err := newGenerator(0, true)
	if err != nil {
		return s, err
	}
	m := newMeter(g)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		err := j(ctx, g, m)
		cancel(errEnded)
		done <- err
	}()
	s, err = m.watch(ctx, o)
	g.Stop()
	if err != nil {
		cancel(err) // ends a job, too, that no longer asks its source
	}
	if err := errors.Join(err, <-done, g.Close()); err != nil {
		return s, err
	}
	s.RatePerSecond, s.Latency = timed.PerSecond, m.latency
	if s.Latency.TotalCount() == 0 {
		return s, fmt.Errorf("no window of %v ended in %v", size, o.Window())
	}
	return s, nil
}

// watch waits for the fill, warms up and measures.
func (m *meter) watch(ctx context.Context, o harness.Options) (s harness.Sample, err error) {
	for m.generator.Emitted() <= 0 {
		if err := harness.Wait(ctx, time.Millisecond); err != nil {
			return s, err
		}
	}
	if err := harness.Wait(ctx, o.WarmUp()); err != nil {
		return s, err
	}
	runtime.GC()
	m.Begin()
	s, err = harness.Watch(ctx, o.Window(), m.generator.Emitted)
	m.End()
	return s, err
}
