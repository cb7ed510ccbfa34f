package actors

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/sinks"
)

// ioSink writes on an I/O goroutine, and commits on another: what is published does not wait for what is written. The lane to it is one
// like any other, so a slow writer is back-pressure.
type ioSink[T any] struct {
	out     *mailbox.Out[T]
	t       *Task
	id      string
	w       sinks.Writer[T]
	lane    *mailbox.Lane[T]
	last    chan struct{} // holds one: write all that lies in the lane, then finish
	running bool
	users   atomic.Int32 // goroutines that use the writer: the last one closes it

	commits   *output       // nil: the writer is no sinks.Committer
	publish   chan [][]byte // holds one: the task asks for the next commit when the last was answered
	behind    backlog
	finishing bool // the job is over when all is published
	ended     bool // and the input has ended: the writer's Finish is wanted too
}

func (s *ioSink[T]) Add(v T, timeNS int64, hash uint64, kind flow.Kind) {
	s.out.AddKind(0, v, timeNS, hash, kind)
}

func (s *ioSink[T]) start() {
	s.running = true
	s.users.Store(1)
	if s.commits != nil {
		s.users.Store(2)
		s.t.Go(s.id, "commit sink", s.publishAll)
	}
	s.t.Go(s.id, "write sink", s.writeAll)
}

func (s *ioSink[T]) endsBatches() bool { return isBatcher(s.w) }
func (s *ioSink[T]) output() *output   { return s.commits }

func (s *ioSink[T]) finish(ended bool) {
	s.finishing, s.ended = true, ended
	s.advance()
}

// advance implements sink.
func (s *ioSink[T]) advance() {
	if s.commits != nil {
		if s.commits.committing > 0 {
			return
		}
		if tokens := s.commits.due(); len(tokens) > 0 {
			s.publish <- tokens
			return
		}
	}
	switch {
	case !s.finishing:
	case s.ended:
		s.last <- struct{}{}
	default:
		s.t.post(sinkFinished{})
	}
}

func (s *ioSink[T]) close() {
	if !s.running {
		closeWriter(s.t, s.id, s.w)
	}
}

// leave closes the writer behind the last goroutine that uses it.
func (s *ioSink[T]) leave() {
	if s.users.Add(-1) == 0 {
		closeWriter(s.t, s.id, s.w)
	}
}

// writeAll writes what comes through the lane, until the attempt ends.
func (s *ioSink[T]) writeAll(ctx context.Context) error {
	defer s.leave()
	for {
		b, err := s.receive(ctx)
		switch {
		case err != nil:
		case b != nil:
			err = s.write(ctx, b)
		default:
			err = s.finishAll(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// receive takes the oldest batch of the lane, or none when it is woken for the last.
func (s *ioSink[T]) receive(ctx context.Context) (*flow.Batch[T], error) {
	if s.t.park == nil {
		return s.lane.Receive(ctx, s.last)
	}
	if !s.t.parked(ctx, func() bool { return s.lane.Len() > 0 || len(s.last) > 0 }, never) {
		return nil, context.Canceled
	}
	if b := s.lane.TryReceive(); b != nil {
		return b, nil
	}
	<-s.last
	return nil, nil
}

// finishAll writes what is left and lets the writer end.
func (s *ioSink[T]) finishAll(ctx context.Context) error {
	for b := s.lane.TryReceive(); b != nil; b = s.lane.TryReceive() {
		if err := s.write(ctx, b); err != nil {
			return err
		}
	}
	if err := finishWriter(ctx, s.w); err != nil {
		return err
	}
	s.t.post(sinkFinished{})
	return nil
}

// publishAll commits what the task asks for, until the attempt ends.
func (s *ioSink[T]) publishAll(ctx context.Context) error {
	defer s.leave()
	for {
		tokens, err := s.committable(ctx)
		if err != nil {
			return err
		}
		s.behind.begin()
		if err := s.w.(sinks.Committer).Commit(ctx, tokens); err != nil {
			return fmt.Errorf("commit sink: %w", err)
		}
		s.behind.end()
		fault.Point("epoch/output-committed")
		s.t.post(sinkCommitted{s})
	}
}

// committable waits for the next tokens to be committed.
func (s *ioSink[T]) committable(ctx context.Context) ([][]byte, error) {
	if s.t.park != nil && !s.t.parked(ctx, func() bool { return len(s.publish) > 0 }, never) {
		return nil, context.Canceled
	}
	select {
	case tokens := <-s.publish:
		return tokens, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write hands the writer a batch and makes everything safe behind a barrier or the end.
func (s *ioSink[T]) write(ctx context.Context, b *flow.Batch[T]) error {
	if len(b.Records) > 0 {
		s.t.Stats.RecordsOut.Add(int64(len(b.Records)))
		if err := s.w.Write(ctx, b); err != nil {
			return fmt.Errorf("write sink: %w", err)
		}
	}
	m := b.Mark
	s.lane.Pool().Put(b)
	if m.Has&(flow.HasBarrier|flow.HasEnd) == 0 {
		return nil
	}
	if err := endBatch(ctx, s.w, m); err != nil {
		return err
	}
	if s.commits != nil {
		return s.prepare(ctx, m)
	}
	if err := s.w.Flush(ctx); err != nil {
		return fmt.Errorf("flush sink: %w", err)
	}
	if m.Has&flow.HasBarrier != 0 {
		s.t.post(sinkFlushed{epoch: m.Epoch})
	}
	return nil
}

// prepare makes what was written before a barrier safe. The end alone is no reason: a last barrier follows it.
func (s *ioSink[T]) prepare(ctx context.Context, m flow.Mark) error {
	if m.Has&flow.HasBarrier == 0 {
		return nil
	}
	if err := s.behind.await(ctx, s.t); err != nil {
		return err
	}
	token, err := s.w.(sinks.Committer).Prepare(ctx, m.Epoch)
	if err != nil {
		return fmt.Errorf("prepare epoch %d of sink: %w", m.Epoch, err)
	}
	fault.Point("epoch/output-prepared")
	if token != nil && planted.On("commit-at-prepare") {
		err, token = s.w.(sinks.Committer).Commit(ctx, [][]byte{token}), nil
	}
	s.t.post(sinkFlushed{m.Epoch, s.commits, token})
	return err
}
