package actors

import (
	"context"
	"sync/atomic"
)

// backlogMax is how many epochs a writer prepares while one commit is under way. The next commit publishes them together; when commits are too
// slow for that too, the writer waits, and with it what feeds it.
const backlogMax = 8

// backlog is how far the writing of a sink is ahead of its commits. One goroutine prepares, another commits.
type backlog struct {
	committing atomic.Bool
	prepared   atomic.Int32  // since the commit under way began
	ended      chan struct{} // holds one; rung when a commit has ended
}

// begin: a commit begins.
func (b *backlog) begin() {
	b.prepared.Store(0)
	b.committing.Store(true)
}

// end: it has ended.
func (b *backlog) end() {
	b.committing.Store(false)
	select {
	case b.ended <- struct{}{}:
	default:
	}
}

// await waits until one more epoch may be prepared. Without a commit under way it never waits: only another complete epoch begins one.
func (b *backlog) await(ctx context.Context, t *Task) error {
	for b.committing.Load() && b.prepared.Load() >= backlogMax {
		if t.park != nil {
			if !t.parked(ctx, func() bool { return !b.committing.Load() }, never) {
				return context.Canceled
			}
			continue
		}
		select {
		case <-b.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.prepared.Add(1)
	return nil
}
