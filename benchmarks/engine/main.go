// Command engine measures source → shuffle → keyed count → sink in one process: Millrace against the floor, the same job
// written by hand (floor.go).
package main

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/workload"
)

const (
	keys          = 100_000
	ratePerSecond = 100_000
	outputRecords = 1_000_000
)

// spikeMPerCore is what the design's first measurement of this job reached on two cores of an EPYC, in million records a
// second and core.
const spikeMPerCore = 15.8

func main() {
	harness.Main(4, func(_ context.Context, o harness.Options) (harness.Benchmark, func() error, error) {
		return benchmark(o), nil, nil
	})
}

func benchmark(o harness.Options) harness.Benchmark {
	// Checkpoints are off: the floor has none, and benchmarks/checkpoint measures what they add.
	subject := workload.KeyedCount(millrace.Config{Guarantee: millrace.AtMostOnce})
	closed := workload.Load{Keys: workload.Keys(keys)}
	open := closed
	open.RatePerSecond = ratePerSecond
	return harness.Benchmark{
		Name:    "engine",
		Base:    workload.Job(runFloor).Contestant("floor", closed, open, o, outputRecords),
		Subject: subject.Contestant("millrace", closed, open, o, outputRecords),
		Notes:   notes,
	}
}

func notes(rep harness.Report) []string {
	own := float64(rep.Figures["floor"].RecordsPerCoreSecond) / 1e6
	return []string{fmt.Sprintf("floor: %.1f M records/s/core, %+.0f %% of the spike's %.1f; README.md says what differs",
		own, 100*(own/spikeMPerCore-1), spikeMPerCore)}
}
