package actors

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// twoHands holds a Write until a Commit has come.
type twoHands struct {
	writing, published chan struct{}
	closed             int
}

func (w *twoHands) Write(ctx context.Context, b *flow.Batch[int]) error {
	if b.Records[0].Value == 1 {
		return nil
	}
	close(w.writing)
	select {
	case <-w.published:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *twoHands) Prepare(context.Context, flow.Epoch) ([]byte, error) { return []byte("first"), nil }

func (w *twoHands) Commit(context.Context, [][]byte) error {
	close(w.published)
	return nil
}

func (w *twoHands) Flush(context.Context) error { return nil }

func (w *twoHands) Close() error {
	w.closed++
	return nil
}

// What is complete is published while a later record is being written, for as long as that takes; the writer is closed once, behind both.
func TestCommitsDoNotWaitForWrites(t *testing.T) {
	w := &twoHands{writing: make(chan struct{}), published: make(chan struct{})}
	task := newTask("out", 1)
	s := NewSink(task, "out", sinks.Writer[int](w), 1, 8).(*ioSink[int])
	s.start()
	s.Add(1, 0, 0, flow.Insert)
	s.out.Barrier(flow.BarrierOf(1, flow.NoBatch))
	s.Add(2, 0, 0, flow.Insert)
	<-w.writing
	s.commits.prepare(1, keyOf(1, 1, 0), []byte("first"))
	task.completed(1)
	<-w.published
	task.cancel()
	task.io.Wait()
	if w.closed != 1 {
		t.Fatalf("closed %d times, want once", w.closed)
	}
}

// slowCommit counts what is prepared while its first Commit is held.
type slowCommit struct {
	diary
	held, committing chan struct{}
	prepared         atomic.Int32
	commits          atomic.Int32
}

func (w *slowCommit) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	w.prepared.Add(1)
	return []byte("token"), nil
}

func (w *slowCommit) Commit(ctx context.Context, _ [][]byte) error {
	if w.commits.Add(1) == 1 {
		close(w.committing)
		<-w.held
	}
	return nil
}

// While a commit does not end, so many epochs are prepared and no more; then the next commit publishes them together. Epochs of which
// none is complete are prepared without end.
func TestPreparedEpochsWaitForSlowCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowCommit{held: make(chan struct{}), committing: make(chan struct{})}
		task := newTask("out", 1)
		s := NewSink(task, "out", sinks.Writer[int](w), 1, 64).(*ioSink[int])
		s.start()
		for e := range flow.Epoch(backlogMax + 2) {
			s.out.Barrier(flow.BarrierOf(e+1, flow.NoBatch))
		}
		synctest.Wait()
		if n := w.prepared.Load(); n != backlogMax+2 {
			t.Fatalf("without a commit under way %d epochs were prepared, want %d", n, backlogMax+2)
		}
		s.commits.prepare(1, keyOf(1, 1, 0), []byte("token"))
		task.completed(1)
		<-w.committing
		for e := range flow.Epoch(2 * backlogMax) {
			s.out.Barrier(flow.BarrierOf(e+backlogMax+3, flow.NoBatch))
		}
		synctest.Wait()
		if n := w.prepared.Load(); n != 2*backlogMax+2 {
			t.Fatalf("%d epochs were prepared, want %d: %d during the commit", n, 2*backlogMax+2, backlogMax)
		}
		close(w.held)
		synctest.Wait()
		if n := w.prepared.Load(); n != 3*backlogMax+2 {
			t.Fatalf("behind the commit %d epochs were prepared, want all %d", n, 3*backlogMax+2)
		}
		task.cancel()
		task.io.Wait()
	})
}
