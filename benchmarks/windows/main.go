// Command windows measures how soon a sliding window leaves once the watermark has passed its end: source → shuffle → sum over
// windows of 10 s every 100 ms → sink in one process, 10,000 keys, records out of order by up to 50 ms; Millrace against the floor, the
// same job written by hand (floor.go).
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

const (
	size  = 10 * time.Second
	slide = 100 * time.Millisecond

	workers      = 2 // tasks of the window, in every contestant
	batchRecords = 256
	laneBatches  = 16

	// closedRecords is how many records a second of -seconds are in the closed loop.
	closedRecords = 1_000_000
	// goal is how soon 99 of 100 panes are to leave.
	goal = 10 * time.Millisecond
	// floorP99Max is the p99 of the floor above which a round says more about the machine. The last of 10,000 panes that leave
	// together waits for the others, so it is not the 500 µs of benchmarks/engine.
	floorP99Max = 5 * time.Millisecond
)

func main() {
	harness.Main(4, func(_ context.Context, o harness.Options) (harness.Benchmark, func() error, error) {
		return benchmark(o), nil, nil
	})
}

// job is one contestant's way from source to sink: it takes all events of g and gives each final pane to m.
type job func(ctx context.Context, g *generator, m *meter) error

func benchmark(o harness.Options) harness.Benchmark {
	return harness.Benchmark{
		Name: "windows", Base: job(runFloor).contestant("floor", o), Subject: job(runMillrace).contestant("millrace", o),
		BaseP99Max: floorP99Max, Notes: notes,
	}
}

func notes(rep harness.Report) []string {
	p99 := time.Duration(float64(rep.Figures["millrace"].P99US) * 1e3)
	verdict := "within"
	if p99 > goal {
		verdict = "NOT within"
	}
	return []string{fmt.Sprintf("latency: from the watermark passing a window's end to its panes at the sink; millrace's p99 is %s %v", verdict, goal)}
}

func (j job) contestant(name string, o harness.Options) harness.Contestant {
	var rows timed.End
	return harness.Contestant{
		Name: name,
		Throughput: func(ctx context.Context) (s harness.Sample, err error) {
			s, rows, err = j.throughput(ctx, int64(o.Seconds*closedRecords))
			return s, err
		},
		Output:  func(context.Context) (uint64, error) { return rows.Hash(), nil },
		Latency: func(ctx context.Context) (harness.Sample, error) { return j.latency(ctx, o) },
	}
}
