package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Event is a record of the cases: 100,000 a second of event time, of 10,000 keys, at most disorder behind the newest.
type Event struct {
	Key  string
	AtNS int64
	Val  int64
}

const (
	keyCount  = 10_000
	perSecond = 100_000
	stepNS    = int64(time.Second) / perSecond
	disorder  = 50 * time.Millisecond
	startNS   = 1_767_225_600_000_000_000 // 2026-01-01
)

var keys = func() (all [keyCount]string) {
	for i := range all {
		all[i] = fmt.Sprintf("user-%010d", i)
	}
	return all
}()

func (e Event) key() string   { return e.Key }
func (e Event) at() time.Time { return time.Unix(0, e.AtNS) }
func (e Event) value() int64  { return e.Val }

// event is number i of the input: both sides make it by this.
func event(i int64) Event {
	x := uint64(i) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
	x ^= x >> 29
	late := int64(x>>40) * int64(disorder) >> 24
	return Event{Key: keys[x%keyCount], AtNS: startNS + i*stepNS - late, Val: int64(x >> 48)}
}

// keyHash is how a row's key goes into the output's hash.
func keyHash(key string) uint64 { return xxhash.Sum64String(key) }

// events is the source of a Millrace job: one split of the first n events, made on the task's loop.
type events struct{ n int64 }

func (s events) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "events"}}, nil
}

func (s events) Open(context.Context, flow.Split, flow.Position) (sources.Reader[Event], error) {
	return &eventReader{n: s.n}, nil
}

type eventReader struct{ i, n int64 }

func (r *eventReader) Poll(_ int64, b *sources.Batch[Event]) (wakeAtNS int64, err error) {
	room := int64(cap(b.Records) - len(b.Records))
	for end := min(r.n, r.i+room); r.i < end; r.i++ {
		e := event(r.i)
		b.Records = append(b.Records, flow.Record[Event]{Value: e})
	}
	b.Next = binary.BigEndian.AppendUint64(b.Next[:0], uint64(r.i))
	if r.i == r.n {
		return 0, io.EOF
	}
	return 0, nil
}

func (r *eventReader) Read(_ context.Context, b *sources.Batch[Event]) error {
	_, err := r.Poll(0, b)
	return err
}

func (*eventReader) Close() error { return nil }

// toEnd is a sink that gives each record to f, on the task's loop.
type toEnd[T any] struct{ f func(T) }

func (s toEnd[T]) Open(context.Context, sinks.Instance) (sinks.Writer[T], error) { return s, nil }

func (s toEnd[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		s.f(b.Records[i].Value)
	}
	return nil
}

func (toEnd[T]) Flush(context.Context) error { return nil }
func (toEnd[T]) Close() error                { return nil }

// Inline: a hash never blocks.
func (toEnd[T]) Inline() {}

// runJob runs a topology over the first n events at parallelism 1: one source task and one of the operator. There are no
// checkpoints, as the floor has none.
func runJob(ctx context.Context, n int64, topology func(millrace.Stream[Event])) error {
	job := millrace.NewJob("operators")
	topology(job.From("events", sources.Source[Event](events{n})).
		EventTime("clock", millrace.Watermark{Delay: disorder}, Event.at))
	query, err := job.Start(ctx, millrace.Config{Parallelism: 1, Guarantee: millrace.AtMostOnce, RestartsMax: -1})
	if err != nil {
		return err
	}
	return query.Await(ctx)
}
