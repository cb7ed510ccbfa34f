package workload

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// Job is one contestant's way from source to sink: it takes all records of g, counts them by key and writes each new count
// to m. It returns when g is done and the last record has been written, or with its first error.
type Job func(ctx context.Context, g *Generator, m *Meter) error

// Throughput measures a window of the job in a closed loop.
func (j Job) Throughput(ctx context.Context, l Load, o harness.Options) (harness.Sample, error) {
	l.RatePerSecond, l.Records = 0, 0
	return j.window(ctx, l, o)
}

// Latency measures a window of the job in an open loop at the load's rate.
func (j Job) Latency(ctx context.Context, l Load, o harness.Options) (harness.Sample, error) {
	if l.RatePerSecond <= 0 {
		return harness.Sample{}, errors.New("latency of a load without a rate; set RatePerSecond")
	}
	l.Records = 0
	return j.window(ctx, l, o)
}

// Output runs the first records of the load in a closed loop and hashes the final counts.
func (j Job) Output(ctx context.Context, l Load, records int64) (uint64, error) {
	l.RatePerSecond, l.Records = 0, records
	m := newMeter(l)
	m.last = make(map[string]int64, len(l.Keys))
	g, err := l.New()
	if err != nil {
		return 0, err
	}
	if err := errors.Join(j(ctx, g, m), g.Close()); err != nil {
		return 0, err
	}
	if got, want := m.Seen(), records+int64(len(l.Keys)); got != want {
		return 0, fmt.Errorf("%d records arrived, want %d", got, want)
	}
	return m.hash(), nil
}

// window runs the job around one measured window.
func (j Job) window(ctx context.Context, l Load, o harness.Options) (s harness.Sample, err error) {
	g, err := l.New()
	if err != nil {
		return s, err
	}
	m := newMeter(l)
	s, err = harness.Run{
		Job:    func(ctx context.Context) error { return errors.Join(j(ctx, g, m), g.Close()) },
		Stop:   g.Stop,
		Filled: func() bool { return m.Seen() >= int64(len(l.Keys)) },
		Count:  m.Seen,
		Window: &m.window,
	}.Measure(ctx, o)
	if err != nil {
		return s, err
	}
	if l.RatePerSecond > 0 {
		s.RatePerSecond, s.Latency, s.Hop = l.RatePerSecond, m.latency, m.hop
	}
	return s, nil
}

// Contestant makes the job a contestant: a closed loop of throughput, an open loop at the load's rate, and the counts of
// the first records of the load behind each.
func (j Job) Contestant(name string, throughput, latency Load, o harness.Options, outputRecords int64) harness.Contestant {
	return harness.Contestant{
		Name:       name,
		Throughput: func(ctx context.Context) (harness.Sample, error) { return j.Throughput(ctx, throughput, o) },
		Latency:    func(ctx context.Context) (harness.Sample, error) { return j.Latency(ctx, latency, o) },
		Output: func(ctx context.Context) (uint64, error) {
			l := latency // its draw does not follow the clock
			return j.Output(ctx, l, outputRecords)
		},
	}
}
