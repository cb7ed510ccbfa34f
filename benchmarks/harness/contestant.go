package harness

import (
	"cmp"
	"context"
	"time"
)

// Contestant is one side of a comparison. Each function sets up, measures and tears down by itself: nothing of it runs
// when another contestant is measured.
type Contestant struct {
	Name string // "floor", "millrace"; the key of its figures in the report
	// Throughput runs as fast as it goes and returns one measured window.
	Throughput func(ctx context.Context) (Sample, error)
	// Latency runs open loop at a fixed rate and returns one measured window with its histograms. Nil: the benchmark has
	// no latency part.
	Latency func(ctx context.Context) (Sample, error)
	// Output hashes the final output, whatever its order across keys. It is called behind each Throughput and outside
	// every window; unequal hashes end the benchmark. Nil: the benchmark has no output to compare.
	Output func(ctx context.Context) (uint64, error)
}

// Benchmark compares Subject with Base.
type Benchmark struct {
	Name    string
	Base    Contestant
	Subject Contestant // without a Throughput function only Base is measured, and the ratios are null
	// BaseP99Max is the p99 of the base above which a round says more about the machine than about the contestants: its p99
	// ratio is not counted. 0 means 500 µs.
	BaseP99Max time.Duration
	// Notes are printed under the table and put into the report, after the rounds.
	Notes func(Report) []string
}

// contestants lists who is measured in a round: every other round begins with the subject, so that neither always runs
// on the warmer machine.
func (b Benchmark) contestants(round int) []Contestant {
	switch {
	case b.Subject.Throughput == nil:
		return []Contestant{b.Base}
	case round%2 == 0:
		return []Contestant{b.Base, b.Subject}
	}
	return []Contestant{b.Subject, b.Base}
}

const defaultBaseP99Max = 500 * time.Microsecond

func (b Benchmark) baseP99Max() time.Duration { return cmp.Or(b.BaseP99Max, defaultBaseP99Max) }
