package actors

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/sinks"
)

// ioSink writes on an I/O goroutine. The lane to it is one like any other, so a slow writer is back-pressure.
type ioSink[T any] struct {
	out     *mailbox.Out[T]
	t       *Task
	id      string
	w       sinks.Writer[T]
	lane    *mailbox.Lane[T]
	asks    chan ask      // holds one: the task asks for the next when the last was answered
	asked   chan struct{} // holds one: wakes the goroutine from its wait for a batch
	running bool

	commits   *output // nil: the writer is no sinks.Committer
	finishing bool    // the job is over when all is published
	ended     bool    // and the input has ended: the writer's Finish is wanted too
}

// ask is what the I/O goroutine does besides writing. It comes before batches that wait.
type ask struct {
	commit [][]byte // tokens to be published
	finish bool     // write all that lies in the lane, then finish
}

func (s *ioSink[T]) Add(v T, timeNS int64, hash uint64, kind flow.Kind) {
	s.out.AddKind(0, v, timeNS, hash, kind)
}

func (s *ioSink[T]) start() {
	s.running = true
	s.t.Go(s.id, "write sink", s.run)
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
			s.ask(ask{commit: tokens})
			return
		}
	}
	switch {
	case !s.finishing:
	case s.ended:
		s.ask(ask{finish: true})
	default:
		s.t.post(sinkFinished{})
	}
}

func (s *ioSink[T]) ask(a ask) {
	s.asks <- a
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

func (s *ioSink[T]) close() {
	if !s.running {
		closeWriter(s.t, s.id, s.w)
	}
}

// run writes what comes through the lane, and does what the task asks for, until the attempt ends.
func (s *ioSink[T]) run(ctx context.Context) error {
	defer closeWriter(s.t, s.id, s.w)
	for {
		select {
		case a := <-s.asks:
			if err := s.answer(ctx, a); err != nil {
				return err
			}
			continue
		default:
		}
		b, err := s.receive(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		if err := s.write(ctx, b); err != nil {
			return err
		}
	}
}

// receive takes the oldest batch of the lane, or none when it is woken for an ask.
func (s *ioSink[T]) receive(ctx context.Context) (*flow.Batch[T], error) {
	if s.t.park == nil {
		return s.lane.Receive(ctx, s.asked)
	}
	if !s.t.parked(ctx, func() bool { return s.lane.Len() > 0 || len(s.asks) > 0 }, never) {
		return nil, context.Canceled
	}
	if len(s.asks) > 0 {
		return nil, nil
	}
	return s.lane.TryReceive(), nil
}

// answer does what the task asked for, and tells it.
func (s *ioSink[T]) answer(ctx context.Context, a ask) error {
	if !a.finish {
		if err := s.w.(sinks.Committer).Commit(ctx, a.commit); err != nil {
			return fmt.Errorf("commit sink: %w", err)
		}
		fault.Point("epoch/output-committed")
		s.t.post(sinkCommitted{s})
		return nil
	}
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
