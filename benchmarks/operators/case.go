package main

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/benchmarks/harness"
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
	Floor, Millrace func(ctx context.Context, n int64, e *End) error
}

// End takes what comes out, in any order.
type End struct {
	Rows int64
	sum  uint64
}

// Row adds an output row to the hash: its key's hash and any two numbers of it.
func (e *End) Row(key uint64, a, b int64) {
	x := key ^ uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xd6e8feb86659fd93
	x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
	e.sum += x ^ x>>29
	e.Rows++
}

// benchmark compares the two over as many records as the options ask for. The start and the end of the job are in its window.
func (c Case) benchmark(o harness.Options) harness.Benchmark {
	n := int64(float64(c.Records) * o.Seconds)
	side := func(name string, job func(context.Context, int64, *End) error) harness.Contestant {
		var e End
		return harness.Contestant{
			Name: name,
			Throughput: func(ctx context.Context) (harness.Sample, error) {
				e = End{}
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
			Output: func(context.Context) (uint64, error) { return e.sum ^ uint64(e.Rows), nil },
		}
	}
	return harness.Benchmark{Name: "operators: " + c.Name, Base: side(floorName, c.Floor), Subject: side(subjectName, c.Millrace)}
}
