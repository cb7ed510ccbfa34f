package actors

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/sinks"
)

// sink is a task's end to the outside, with the record type rubbed off. What feeds it is an outlet of the task like any other.
type sink interface {
	start()
	// finish waits until all that is complete has been published, and with ended, runs the writer's Finish, if it has one. A
	// sinkFinished message follows.
	finish(ended bool)
	// output is where commits stand; nil when the sink publishes as it writes.
	output() *output
	// advance begins the next commit, or what waits for the last, when it can be begun.
	advance()
	// endsBatches says whether the writer wants to know where batches end.
	endsBatches() bool
	// close releases a writer whose task is over.
	close()
}

// Adder is the typed side of a sink: the end of a chain.
type Adder[T any] interface {
	Add(v T, timeNS int64, hash uint64, kind flow.Kind)
}

// NewSink gives task t the writer w of operator id. A writer that never blocks runs on the task's loop, any other on an
// I/O goroutine behind a lane of batchesMax batches.
func NewSink[T any](t *Task, id string, w sinks.Writer[T], recordsMax, batchesMax int) Adder[T] {
	_, commits := w.(sinks.Committer)
	if _, ok := w.(sinks.Inline); ok && !commits {
		s := &inlineSink[T]{t: t, id: id, w: w, b: &flow.Batch[T]{Records: make([]flow.Record[T], 0, recordsMax)}}
		t.sinks, t.outs = append(t.sinks, s), append(t.outs, s)
		return s
	}
	pool := mailbox.NewPool[T](recordsMax)
	lane := mailbox.NewLane(batchesMax, pool, t.Bell(), nil)
	out := mailbox.NewOut([]*mailbox.Lane[T]{lane}, pool, t.Attempt)
	s := &ioSink[T]{out: out, t: t, id: id, w: w, lane: lane, last: make(chan struct{}, 1)}
	if commits {
		s.commits, s.publish, s.behind.ended = &output{id: id}, make(chan [][]byte, 1), make(chan struct{}, 1)
	}
	t.sinks, t.outs = append(t.sinks, s), append(t.outs, out)
	return s
}

// inlineSink writes on the task's loop.
type inlineSink[T any] struct {
	t  *Task
	id string
	w  sinks.Writer[T]
	b  *flow.Batch[T]
}

func (s *inlineSink[T]) Add(v T, timeNS int64, hash uint64, kind flow.Kind) {
	b := s.b
	n := len(b.Records)
	b.Records = b.Records[:n+1]
	r := &b.Records[n]
	r.TimeNS, r.Hash, r.Value = timeNS, hash, v
	if kind != flow.Insert || len(b.Kinds) > 0 {
		for len(b.Kinds) < n {
			b.Kinds = append(b.Kinds, flow.Insert)
		}
		b.Kinds = append(b.Kinds, kind)
	}
	if n+1 == cap(b.Records) {
		s.Flush()
	}
}

func (s *inlineSink[T]) Flush() {
	if len(s.b.Records) == 0 {
		return
	}
	s.t.Stats.RecordsOut.Add(int64(len(s.b.Records)))
	if err := s.w.Write(s.t.ctx, s.b); err != nil {
		panic(failure{operatorError{s.id, fmt.Errorf("write sink: %w", err)}})
	}
	s.b.Reset()
}

func (s *inlineSink[T]) endsBatches() bool { return isBatcher(s.w) }

func isBatcher(w any) bool {
	_, ok := w.(sinks.Batcher)
	return ok
}

func (s *inlineSink[T]) safe() {
	s.Flush()
	if err := s.w.Flush(s.t.ctx); err != nil {
		panic(failure{operatorError{s.id, fmt.Errorf("flush sink: %w", err)}})
	}
}

func (s *inlineSink[T]) Barrier(m flow.Mark) {
	s.Flush()
	if err := endBatch(s.t.ctx, s.w, m); err != nil {
		panic(failure{operatorError{s.id, err}})
	}
	s.safe()
	s.t.flushed(sinkFlushed{epoch: m.Epoch})
}
func (s *inlineSink[T]) End()            { s.safe() }
func (s *inlineSink[T]) Watermark(int64) {}
func (s *inlineSink[T]) Idle(bool)       {}
func (s *inlineSink[T]) Blocked() bool   { return false }
func (s *inlineSink[T]) Retry() bool     { return true }
func (s *inlineSink[T]) Room() bool      { return false }
func (s *inlineSink[T]) start()          {}
func (s *inlineSink[T]) close()          { closeWriter(s.t, s.id, s.w) }

func (s *inlineSink[T]) output() *output { return nil }
func (s *inlineSink[T]) advance()        {}

func (s *inlineSink[T]) finish(ended bool) {
	if ended {
		if err := finishWriter(s.t.ctx, s.w); err != nil {
			panic(failure{operatorError{s.id, err}})
		}
	}
	s.t.post(sinkFinished{})
}

// endBatch tells a writer that wants to know that a batch ends at the mark.
func endBatch(ctx context.Context, w any, m flow.Mark) error {
	b, ok := w.(sinks.Batcher)
	if !ok || m.Ends() == flow.NoBatch {
		return nil
	}
	if err := b.EndBatch(ctx, m.Ends()); err != nil {
		return fmt.Errorf("end batch %d of sink: %w", m.Ends(), err)
	}
	return nil
}

func finishWriter(ctx context.Context, w any) error {
	f, ok := w.(sinks.Finisher)
	if !ok {
		return nil
	}
	if err := f.Finish(ctx); err != nil {
		return fmt.Errorf("finish sink: %w", err)
	}
	return nil
}

// closeWriter closes a writer, whatever it does: everything that has to be safe was flushed before, so an error is for the
// log only, and a panic must not keep a task from ending.
func closeWriter(t *Task, id string, w io.Closer) {
	defer func() {
		if r := recover(); r != nil {
			t.report(notClosed{id, t.Index, failureOf(r, debug.Stack())})
		}
	}()
	if err := w.Close(); err != nil {
		t.report(notClosed{id, t.Index, err})
	}
}

// finishSinks lets the sinks end their commits, and with ended, run their Finish; the job hears when all have.
func (t *Task) finishSinks(ended bool) {
	if t.finishing = len(t.sinks); t.finishing == 0 {
		t.report(taskFinished{t.number})
	}
	for _, s := range t.sinks {
		s.finish(ended)
	}
}
