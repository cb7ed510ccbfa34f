package sources

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Channel is a source of what is sent on ch, in one split, until ch is closed. What was taken from a channel cannot be
// taken again, so a job that reads it is at-most-once over its restarts (see Replayable): it goes on with what is sent
// next. A record's time is when it was read.
func Channel[T any](ch <-chan T) Source[T] { return &channel[T]{ch} }

type channel[T any] struct{ ch <-chan T }

func (c *channel[T]) Check(context.Context) error {
	if c.ch == nil {
		return errors.New("channel: it is nil")
	}
	return nil
}

func (c *channel[T]) Replayable() bool { return false }

func (c *channel[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	return oneSplit("channel", known), nil
}

func (c *channel[T]) Open(_ context.Context, _ flow.Split, from flow.Position) (Reader[T], error) {
	next, err := indexAt("channel", from)
	return &channelReader[T]{ch: c.ch, count: next}, err
}

// channelReader's position is the number of values taken: it tells a person how far it was, and no reader needs it.
type channelReader[T any] struct {
	ch    <-chan T
	count int64
	quiet bool // the engine knows that nothing is there
}

func (r *channelReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	v, more, ready := r.ready()
	switch {
	case ready:
	case !r.quiet:
		r.rest(b)
		return nil
	default:
		select {
		case v, more = <-r.ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.quiet = false
	// From here on it only takes what is ready: a value taken must be handed over.
	now := time.Now().UnixNano()
	for ready = true; ready && more; {
		b.Records = append(b.Records, flow.Record[T]{TimeNS: now, Value: v})
		r.count++
		if len(b.Records) == cap(b.Records) {
			b.Next = indexPosition(b.Next[:0], r.count)
			return nil
		}
		v, more, ready = r.ready()
	}
	r.rest(b)
	if !more && ready {
		b.AtEnd = false
		return io.EOF
	}
	return nil
}

// ready takes a value if one is there; more is false when the channel is closed.
func (r *channelReader[T]) ready() (v T, more, ready bool) {
	select {
	case v, more = <-r.ch:
		return v, more, true
	default:
		return v, false, false
	}
}

// rest ends b where nothing more is there.
func (r *channelReader[T]) rest(b *Batch[T]) {
	r.quiet, b.AtEnd = true, true
	b.Next = indexPosition(b.Next[:0], r.count)
}

func (r *channelReader[T]) Close() error { return nil }
