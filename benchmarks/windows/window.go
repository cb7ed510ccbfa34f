package main

import (
	"context"
	"errors"
	"fmt"

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

// latency runs the job in an open loop around one measured window. Its records are those that the source emitted on its schedule.
func (j job) latency(ctx context.Context, o harness.Options) (s harness.Sample, err error) {
	g, err := newGenerator(0, true)
	if err != nil {
		return s, err
	}
	return j.paced(ctx, g, o)
}

// paced is latency with the events of g.
func (j job) paced(ctx context.Context, g *generator, o harness.Options) (s harness.Sample, err error) {
	m := newMeter(g)
	s, err = harness.Run{
		Job:    func(ctx context.Context) error { return errors.Join(j(ctx, g, m), g.Close()) },
		Stop:   g.Stop,
		Filled: func() bool { return g.Emitted() > 0 },
		Count:  g.Emitted,
		Window: &m.window,
	}.Measure(ctx, o)
	if err != nil {
		return s, err
	}
	s.RatePerSecond, s.Latency = timed.PerSecond, m.latency
	if s.Latency.TotalCount() == 0 {
		return s, fmt.Errorf("no window of %v ended in %v", size, o.Window())
	}
	return s, nil
}
