package workload

import (
	"context"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/state"
)

// Counters is how many tasks count, in every contestant.
const Counters = 2

// tally is a key's count with the emission time of its newest event, which the meter wants.
type tally struct{ Count, EmitNS int64 }

// KeyedCount is the Millrace job of the in-process benchmarks, as a user writes it: count by key and emit each new count.
// A single sink behind the counters makes it three hops. c says how it treats its state; sizes and parallelism are the
// workload's.
func KeyedCount(c millrace.Config) Job {
	c.BatchRecords, c.LaneBatches = BatchRecords, LaneBatches
	c.RestartsMax = -1 // a benchmark that fails should say so
	c.Operators = map[string]millrace.OperatorConfig{
		"events": {Parallelism: 1},
		"count":  {Parallelism: Counters},
		"sink":   {Parallelism: 1},
	}
	return func(ctx context.Context, g *Generator, m *Meter) error {
		job := millrace.NewJob("keyed-count")
		job.From("events", Source(g)).
			KeyBy(Event.key).
			Aggregate("count", state.Forever, tally.add).
			Stream("result", result).
			To("sink", Sink(m))
		query, err := job.Start(ctx, c)
		if err != nil {
			return err
		}
		return query.Await(ctx)
	}
}

func (e Event) key() string { return e.Key }

func (t tally) add(e Event) tally { return tally{t.Count + 1, e.EmitNS} }

func result(key string, t tally) Result { return Result{Key: key, EmitNS: t.EmitNS, Count: t.Count} }
