package main

import (
	"context"
	"fmt"

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
	// Floor and Millrace run the job over the first n records to its end.
	Floor, Millrace func(ctx context.Context, n int64, e *timed.End) error
}

// benchmark compares the two over as many records as the options ask for. The start and the end of the job are in its window.
func (c Case) benchmark(o harness.Options) harness.Benchmark {
	n := int64(float64(c.Records) * o.Seconds)
	side := func(name string, job func(context.Context, int64, *timed.End) error) harness.Contestant {
		var e timed.End
		return harness.Contestant{
			Name: name,
			Throughput: func(ctx context.Context) (harness.Sample, error) {
				e = timed.End{}
				u := harness.StartUsage()
				if err := job(ctx, n, &e); err != nil {
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
	return harness.Benchmark{Name: "operators: " + c.Name, Base: side(floorName, c.Floor), Subject: side(subjectName, c.Millrace)}
}
