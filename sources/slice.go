package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Slice is a source of the values given, in order, in one split. A record's time is when it was read.
func Slice[T any](vs ...T) Source[T] { return &slice[T]{vs} }

type slice[T any] struct{ vs []T }

func (s *slice[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	return oneSplit("slice", known), nil
}

func (s *slice[T]) Open(_ context.Context, _ flow.Split, from flow.Position) (Reader[T], error) {
	next, err := indexAt("slice", from)
	if err != nil {
		return nil, err
	}
	if next > int64(len(s.vs)) {
		return nil, fmt.Errorf("slice: position %d is behind its %d values: it must hold the same values at each start", next, len(s.vs))
	}
	return &sliceReader[T]{vs: s.vs, next: int(next)}, nil
}

// oneSplit is what Splits returns for a source with a single split.
func oneSplit(id string, known []string) []flow.Split {
	if len(known) > 0 {
		return nil
	}
	return []flow.Split{{ID: id, Start: indexPosition(nil, 0)}}
}

type sliceReader[T any] struct {
	vs   []T
	next int
}

// Poll implements Poller.
func (r *sliceReader[T]) Poll(nowNS int64, b *Batch[T]) (int64, error) {
	for r.next < len(r.vs) && len(b.Records) < cap(b.Records) {
		b.Records = append(b.Records, flow.Record[T]{TimeNS: nowNS, Value: r.vs[r.next]})
		r.next++
	}
	b.Next = indexPosition(b.Next[:0], int64(r.next))
	if r.next == len(r.vs) {
		return 0, io.EOF
	}
	return 0, nil
}

func (r *sliceReader[T]) Read(ctx context.Context, b *Batch[T]) error { return readPolled(ctx, r, b) }

func (r *sliceReader[T]) Close() error { return nil }

// Seq is a source of the values of an iterator, in one split. A restart iterates again and skips the values already
// handed over, so seq must give the same values each time. It runs on an I/O goroutine and may wait; but a value it
// waits for is waited for also when the job is told to stop.
func Seq[T any](seq iter.Seq[T]) Source[T] { return &sequence[T]{seq} }

type sequence[T any] struct{ seq iter.Seq[T] }

func (s *sequence[T]) Check(context.Context) error {
	if s.seq == nil {
		return errors.New("sequence: iterator is nil")
	}
	return nil
}

func (s *sequence[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	return oneSplit("seq", known), nil
}

// skipCheckEvery is how many values are skipped between two looks at the context.
const skipCheckEvery = 1024

func (s *sequence[T]) Open(ctx context.Context, _ flow.Split, from flow.Position) (Reader[T], error) {
	n, err := indexAt("sequence", from)
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull(s.seq)
	for i := range n {
		if i%skipCheckEvery == 0 && ctx.Err() != nil {
			stop()
			return nil, ctx.Err()
		}
		if _, ok := next(); !ok {
			stop()
			return nil, fmt.Errorf("sequence: ended after %d values, position %d: it must give the same values at each start", i, n)
		}
	}
	return &sequenceReader[T]{next: next, stop: stop, index: n}, nil
}

// sequenceReader adapts how many values it collects to how fast they come: an iterator that waits for each value has
// each handed over at once, and one that does not fills batches. It cannot see beforehand which one it has.
type sequenceReader[T any] struct {
	next  func() (T, bool)
	stop  func()
	index int64
	most  int // values to collect at the next Read
}

// sequenceSlow is how long a batch may take to collect before the next one is made smaller.
const sequenceSlow = time.Millisecond

func (r *sequenceReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun := time.Now()
	begunNS := begun.UnixNano()
	for len(b.Records) < min(max(r.most, 1), cap(b.Records)) {
		v, ok := r.next()
		if !ok {
			b.Next = indexPosition(b.Next[:0], r.index)
			return io.EOF
		}
		b.Records = append(b.Records, flow.Record[T]{TimeNS: begunNS, Value: v})
		r.index++
	}
	b.Next = indexPosition(b.Next[:0], r.index)
	r.most = min(2*max(r.most, 1), cap(b.Records))
	if time.Since(begun) > sequenceSlow {
		r.most = 1
	}
	return nil
}

func (r *sequenceReader[T]) Close() error {
	r.stop()
	return nil
}
