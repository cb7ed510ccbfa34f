package sources

import (
	"context"
	"time"
)

// readPolled is Read for a reader that can be polled: it waits until the poll gives a record. The engine polls such a
// reader itself; this serves whoever has only a Reader in hand.
func readPolled[T any](ctx context.Context, p Poller[T], b *Batch[T]) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		b.AtEnd = false
		wakeAt, err := p.Poll(now, b)
		if err != nil || len(b.Records) > 0 || len(b.Bad) > 0 {
			return err
		}
		if err := sleep(ctx, wakeAt-now); err != nil {
			return err
		}
	}
}

// sleep waits for ns nanoseconds or until ctx ends, whose error it returns then.
func sleep(ctx context.Context, ns int64) error {
	if ns <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(ns))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withCap calls read with b.Records' capacity cut to n, so that it adds no more than n records to the same memory.
func withCap[T any](b *Batch[T], n int, read func() error) error {
	full := b.Records
	if n >= cap(full) {
		return read()
	}
	b.Records = full[:0:n]
	err := read()
	b.Records = full[:len(b.Records)]
	return err
}
