package main

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

const (
	floorName   = "floor"
	subjectName = "millrace"
)

// Case is an operator and the loop it is compared with. Both take the same records, in the same order, and give their output to an
// End, which hashes it.
type Case struct {
	Name    string
	Records int64 // of a window at -seconds 1
	// Floor runs the job over the first n records to its end.
	Floor func(n int64, e *timed.End)
	// Millrace is the job, from its records on.
	Millrace func(in millrace.Stream[timed.Event], e *timed.End)
	// Lateness is what runs in an open loop, nil for nothing.
	Lateness *lateness
}

// benchmark compares the two over as many records as the options ask for. The start and the end of the job are in its window.
func (c Case) benchmark(o harness.Options) harness.Benchmark {
	n := int64(float64(c.Records) * o.Seconds)
	b := harness.Benchmark{
		Name: "operators: " + c.Name,
		Base: contestant(floorName, n, func(_ context.Context, e *timed.End) error {
			c.Floor(n, e)
			return nil
		}),
		Subject: contestant(subjectName, n, func(ctx context.Context, e *timed.End) error {
			return timed.Run(ctx, timed.OneSplit[timed.Event](timed.NewReader(n)), func(in millrace.Stream[timed.Event]) { c.Millrace(in, e) })
		}),
	}
	if l := c.Lateness; l != nil {
		b.BaseP99Max = lateFloorP99Max
		b.Base.Latency = func(ctx context.Context) (harness.Sample, error) { return measureTimers(ctx, o, l.floor) }
		b.Subject.Latency = func(ctx context.Context) (harness.Sample, error) { return measureTimers(ctx, o, l.millrace) }
	}
	return b
}

// contestant runs job over n records.
func contestant(name string, n int64, job func(context.Context, *timed.End) error) harness.Contestant {
	var e timed.End
	return harness.Contestant{
		Name: name,
		Throughput: func(ctx context.Context) (harness.Sample, error) {
			e = timed.End{}
			u := harness.StartUsage()
			if err := job(ctx, &e); err != nil {
				return harness.Sample{}, err
			}
			s := u.Until(n)
			if e.Rows == 0 {
				return s, fmt.Errorf("no row came out of %d records", n)
			}
			return s, nil
		},
		Output: func(context.Context) (uint64, error) { return e.Hash(), nil },
	}
}
