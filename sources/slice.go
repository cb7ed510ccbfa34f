package sources

import (
	"context"
	"fmt"
	"io"

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

// Latest implements Bounder.
func (s *slice[T]) Latest(_ context.Context, _ flow.Split, from flow.Position, most int64) (flow.Position, error) {
	next, err := indexAt("slice", from)
	if err != nil {
		return nil, err
	}
	there := int64(len(s.vs))
	until := next + limit(max(there-next, 0), most)
	if until < there {
		return indexPosition(nil, until), nil
	}
	return indexUntil(from, next, until), io.EOF
}

// OpenUntil implements Bounder.
func (s *slice[T]) OpenUntil(ctx context.Context, split flow.Split, from, until flow.Position) (Reader[T], error) {
	end, err := indexAt("slice", until)
	if err != nil {
		return nil, err
	}
	if end > int64(len(s.vs)) {
		return nil, fmt.Errorf("slice: a batch ends at %d, behind its %d values: it must hold the same values at each start", end, len(s.vs))
	}
	return (&slice[T]{s.vs[:end]}).Open(ctx, split, from)
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
