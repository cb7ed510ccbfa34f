package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/millrace-io/millrace/flow"
)

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
	skipped, err := skip(ctx, next, n)
	if err == nil && skipped < n {
		err = fmt.Errorf("sequence: ended after %d values, position %d: it must give the same values at each start", skipped, n)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return &sequenceReader[T]{next: next, stop: stop, index: n, end: math.MaxInt64}, nil
}

// skip takes n values, or fewer when there are no more.
func skip[T any](ctx context.Context, next func() (T, bool), n int64) (skipped int64, err error) {
	for i := range n {
		if i%skipCheckEvery == 0 && ctx.Err() != nil {
			return i, ctx.Err()
		}
		if _, ok := next(); !ok {
			return i, nil
		}
	}
	return n, nil
}

// Latest implements Bounder. It iterates over the values up to there, since nothing else tells how many there are.
func (s *sequence[T]) Latest(ctx context.Context, _ flow.Split, from flow.Position, most int64) (flow.Position, error) {
	n, err := indexAt("sequence", from)
	if err != nil {
		return nil, err
	}
	if most <= 0 {
		most = openEndedMax
	}
	next, stop := iter.Pull(s.seq)
	defer stop()
	found, err := skip(ctx, next, n+most)
	switch {
	case err != nil:
		return nil, err
	case found < n:
		return nil, fmt.Errorf("sequence: ended after %d values, position %d: it must give the same values at each start", found, n)
	case found < n+most:
		return indexUntil(from, n, found), io.EOF
	}
	return indexPosition(nil, found), nil
}

// OpenUntil implements Bounder.
func (s *sequence[T]) OpenUntil(ctx context.Context, split flow.Split, from, until flow.Position) (Reader[T], error) {
	end, err := indexAt("sequence", until)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(ctx, split, from)
	if err != nil {
		return nil, err
	}
	r.(*sequenceReader[T]).end = end
	return r, nil
}

// sequenceReader adapts how many values it collects to how fast they come: an iterator that waits for each value has
// each handed over at once, and one that does not fills batches. It cannot see beforehand which one it has.
type sequenceReader[T any] struct {
	next  func() (T, bool)
	stop  func()
	index int64
	end   int64 // of the batch
	most  int   // values to collect at the next Read
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
		if r.index == r.end {
			b.Next = indexPosition(b.Next[:0], r.index)
			return io.EOF
		}
		v, ok := r.next()
		if !ok && r.end < math.MaxInt64 {
			return fmt.Errorf("sequence: ended after %d values, in a batch up to %d: it must give the same values at each start", r.index, r.end)
		}
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
