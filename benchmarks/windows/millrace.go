package main

import (
	"context"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

type pane = millrace.Pane[string, int64]

// runMillrace is the job as a user writes it. Checkpoints are off: the floor has none.
func runMillrace(ctx context.Context, g *generator, m *meter) error {
	var r sources.Reader[timed.Event] = polled{ticked{g}}
	if g.OpenLoop() {
		r = ticked{g}
	}
	job := millrace.NewJob("windows")
	job.From("events", timed.OneSplit(r)).
		EventTime("clock", millrace.Watermark{Delay: timed.Disorder}, timed.Event.At).
		KeyBy(timed.Event.User).
		Window(millrace.Sliding{Size: size, Slide: slide}).
		Sum("sum", timed.Event.Value).
		To("end", timed.Batches(func(records []flow.Record[pane]) {
			now := harness.NowNS()
			for i := range records {
				p := &records[i].Value
				m.Pane(now, p.Key, p.Start.UnixNano(), p.Value)
			}
		}), millrace.Append)
	query, err := job.Start(ctx, millrace.Config{
		Guarantee: millrace.AtMostOnce, RestartsMax: -1, BatchRecords: batchRecords, LaneBatches: laneBatches,
		Operators: map[string]millrace.OperatorConfig{
			"events": {Parallelism: 1},
			"sum":    {Parallelism: workers},
			"end":    {Parallelism: 1},
		},
	})
	if err != nil {
		return err
	}
	return query.Await(ctx)
}
