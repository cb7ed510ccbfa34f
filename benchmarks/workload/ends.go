package workload

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Source gives g's records to a Millrace job, in one split. A closed loop is polled on the task's loop. An open loop waits
// for ticks as one waits for a socket, so it is read on the engine's I/O goroutine. It cannot go back: a job that
// restarts fails.
func Source(g *Generator) sources.Source[Event] { return &source{g: g} }

type source struct {
	g      *Generator
	opened bool
}

func (s *source) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "generator"}}, nil
}

func (s *source) Open(_ context.Context, split flow.Split, _ flow.Position) (sources.Reader[Event], error) {
	if s.opened {
		return nil, fmt.Errorf("split %q: opened a second time; the generator cannot go back", split.ID)
	}
	s.opened = true
	if s.g.OpenLoop() {
		return &ticked{s.g}, nil
	}
	return &polled{ticked{s.g}}, nil
}

// ticked reads what is due and sleeps from tick to tick.
type ticked struct{ g *Generator }

func (r *ticked) Read(ctx context.Context, b *sources.Batch[Event]) error {
	for {
		if r.fill(harness.NowNS(), b); len(b.Records) > 0 {
			return nil
		}
		if r.g.Done() {
			return io.EOF
		}
		if err := r.g.Wait(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (r *ticked) Close() error { return nil }

// fill adds what is due and where to go on: the number of the next record.
func (r *ticked) fill(nowNS int64, b *sources.Batch[Event]) {
	b.Records = r.g.Fill(nowNS, b.Records)
	b.Next = binary.BigEndian.AppendUint64(b.Next[:0], uint64(r.g.seq))
}

// polled always has more.
type polled struct{ ticked }

func (r *polled) Poll(_ int64, b *sources.Batch[Event]) (wakeAtNS int64, err error) {
	r.fill(harness.NowNS(), b)
	if r.g.Done() {
		return 0, io.EOF
	}
	return 0, nil
}

// Sink gives a Millrace job's results to m. Open it from one task only.
func Sink(m *Meter) sinks.Sink[Result] { return meterSink{m} }

type meterSink struct{ m *Meter }

func (s meterSink) Open(_ context.Context, at sinks.Instance) (sinks.Writer[Result], error) {
	if at.Tasks != 1 {
		return nil, fmt.Errorf("operator %q: %d tasks, want 1: a meter has one writer", at.Operator, at.Tasks)
	}
	return s, nil
}

func (s meterSink) Write(_ context.Context, b *flow.Batch[Result]) error {
	s.m.Write(harness.NowNS(), b.Records)
	return nil
}

func (meterSink) Flush(context.Context) error { return nil }
func (meterSink) Close() error                { return nil }

// Inline: a histogram never blocks.
func (meterSink) Inline() {}
