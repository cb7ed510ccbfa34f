// Command checkpoint measures what checkpoints cost: the keyed count of benchmarks/engine over a million keys, with and
// without them.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/workload"
)

// outputRecords of a million keys: enough that most keys change more than once.
const outputRecords = 2_000_000

func main() {
	harness.Main(4, func(_ context.Context, o harness.Options) (harness.Benchmark, func() error, error) {
		return benchmark(o), nil, nil
	})
}

func benchmark(o harness.Options) harness.Benchmark {
	never := func(time.Duration) workload.Job {
		return workload.KeyedCount(millrace.Config{Guarantee: millrace.AtMostOnce})
	}
	every := func(interval time.Duration) workload.Job {
		return workload.KeyedCount(millrace.Config{CheckpointEvery: interval})
	}
	closed, open := workload.CheckpointThroughput(), workload.CheckpointLatency()
	return harness.Benchmark{
		Name:    "checkpoint",
		Base:    contestant("without", never, closed, open, o),
		Subject: contestant("with", every, closed, open, o),
		Notes:   notes,
	}
}

// contestant makes job with the interval of each part.
func contestant(name string, job func(interval time.Duration) workload.Job, closed, open workload.Load, o harness.Options) harness.Contestant {
	return harness.Contestant{
		Name: name,
		Throughput: func(ctx context.Context) (harness.Sample, error) {
			return job(workload.ThroughputInterval).Throughput(ctx, closed, o)
		},
		Latency: func(ctx context.Context) (harness.Sample, error) {
			return job(workload.LatencyInterval).Latency(ctx, open, o)
		},
		Output: func(ctx context.Context) (uint64, error) {
			return job(workload.ThroughputInterval).Output(ctx, open, outputRecords) // open: its draw does not follow the clock
		},
	}
}

func notes(harness.Report) []string {
	return []string{fmt.Sprintf("%d keys change in an interval: of %v for throughput, of %v for latency",
		workload.ChangedKeys, workload.ThroughputInterval, workload.LatencyInterval)}
}
