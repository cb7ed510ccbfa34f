package timed

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Reader is the source of a Millrace job: the first n events, made on the task's loop.
type Reader struct{ i, n int64 }

// NewReader makes the reader of the first n events.
func NewReader(n int64) *Reader { return &Reader{n: n} }

// At is how many events it has made. It is the task's.
func (r *Reader) At() int64 { return r.i }

// Poll implements sources.Poller.
func (r *Reader) Poll(_ int64, b *sources.Batch[Event]) (wakeAtNS int64, err error) {
	room := int64(cap(b.Records) - len(b.Records))
	for end := min(r.n, r.i+room); r.i < end; r.i++ {
		b.Records = append(b.Records, flow.Record[Event]{Value: Number(r.i)})
	}
	b.Next = binary.BigEndian.AppendUint64(b.Next[:0], uint64(r.i))
	if r.i == r.n {
		return 0, io.EOF
	}
	return 0, nil
}

// Read implements sources.Reader.
func (r *Reader) Read(_ context.Context, b *sources.Batch[Event]) error {
	_, err := r.Poll(0, b)
	return err
}

// Close implements sources.Reader.
func (*Reader) Close() error { return nil }

// OneSplit makes a source of one reader. It cannot go back: a job that restarts fails.
func OneSplit[T any](r sources.Reader[T]) sources.Source[T] { return &oneSplit[T]{r: r} }

type oneSplit[T any] struct {
	r      sources.Reader[T]
	opened bool
}

func (s *oneSplit[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "events"}}, nil
}

func (s *oneSplit[T]) Open(_ context.Context, split flow.Split, _ flow.Position) (sources.Reader[T], error) {
	if s.opened {
		return nil, fmt.Errorf("split %q: opened a second time; a benchmark's input cannot go back", split.ID)
	}
	s.opened = true
	return s.r, nil
}

// Each is a sink that gives each record to f, on the task's loop.
func Each[T any](f func(T)) sinks.Sink[T] {
	return Batches(func(records []flow.Record[T]) {
		for i := range records {
			f(records[i].Value)
		}
	})
}

// Batches is a sink that gives each batch to f, on the task's loop. Open it from one task only.
func Batches[T any](f func([]flow.Record[T])) sinks.Sink[T] { return batches[T]{f} }

type batches[T any] struct{ f func([]flow.Record[T]) }

func (s batches[T]) Open(_ context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	if at.Tasks != 1 {
		return nil, fmt.Errorf("operator %q: %d tasks, want 1: the end has one writer", at.Operator, at.Tasks)
	}
	return s, nil
}

func (s batches[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	s.f(b.Records)
	return nil
}

func (batches[T]) Flush(context.Context) error { return nil }
func (batches[T]) Close() error                { return nil }

// Inline: a hash never blocks.
func (batches[T]) Inline() {}

// Run runs a topology over the events of source at parallelism 1: one source task and one of the operator. There are no
// checkpoints, as a loop by hand has none.
func Run(ctx context.Context, source sources.Source[Event], topology func(millrace.Stream[Event])) error {
	query, err := Start(ctx, source, topology)
	if err != nil {
		return err
	}
	return query.Await(ctx)
}

// Start is Run for who wants to look at the query.
func Start(ctx context.Context, source sources.Source[Event], topology func(millrace.Stream[Event])) (*millrace.Query, error) {
	job := millrace.NewJob("operators")
	topology(job.From("events", source).EventTime("clock", millrace.Watermark{Delay: Disorder}, Event.At))
	return job.Start(ctx, millrace.Config{Parallelism: 1, Guarantee: millrace.AtMostOnce, RestartsMax: -1})
}
