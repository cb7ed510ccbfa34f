package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/sources"
)

// SteppedConfig is how an attempt is stepped. The zero value works.
type SteppedConfig struct {
	Mode barrier.Mode
	// Blocks are those of all epochs so far, oldest first: the state and the positions to go on from. None: a first start.
	Blocks []delta.Block
	// Go starts the I/O of tasks: readers and writers that block, look-ups. nil: a goroutine. Whoever steps must know when they
	// wait, or run them at once; what they bring is taken at the next step.
	Go func(f func())
}

// Stepped is an attempt without actors: its tasks take a turn when they are told to, in the caller's goroutine, at the caller's
// time. Nothing in it reads a clock, waits or draws a random number, so the same calls give the same attempt. It is the ground of
// the public test kit and of simulations. One goroutine calls its methods.
type Stepped struct {
	// Starts are the starting positions of splits that were found now. They belong before the blocks of the first epoch.
	Starts []delta.Block

	d        *Deployment
	epoch    flow.Epoch // being cut, 0 for none
	acked    int        // tasks that have handed over their part of it
	blocks   []delta.Block
	counts   []Counts // by task, as of its newest cut
	ended    int      // tasks whose input has ended
	finished int      // tasks whose sinks have finished
	failed   error

	mu      sync.Mutex
	reports []any // of tasks and of their I/O
}

// Counts is what a task has dropped and said so.
type Counts struct{ Filtered, Late, DeadLetters int64 }

// NewStepped restores the tasks of d, which has not been started, and starts them. When it fails, d is released.
func NewStepped(ctx context.Context, d *Deployment, c SteppedConfig) (_ *Stepped, err error) {
	s := &Stepped{d: d, counts: make([]Counts, len(d.Tasks))}
	for i, t := range d.Tasks {
		t.number, t.report, t.stepped = i, s.hear, true
		t.onCut = func(flow.Epoch) { s.counts[i] = countsOf(t) }
		if c.Go != nil {
			t.spawn = c.Go
		}
		t.seal(c.Mode, true)
	}
	s.Starts, err = d.restore(ctx, 0, func(f func(delta.Block) error) error {
		for _, b := range c.Blocks {
			if err := f(b); err != nil {
				return err
			}
		}
		return nil
	})
	for i := 0; err == nil && i < len(d.Tasks); i++ {
		err = guarded(d.Tasks[i], d.Tasks[i].start)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// guarded runs f of task t and gives its panic as the error the job would have seen.
func guarded(t *Task, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = taskError(t, failureOf(r, debug.Stack()))
		}
	}()
	f()
	return nil
}

func countsOf(t *Task) Counts {
	return Counts{Filtered: t.Env.Filtered, Late: t.Env.Late, DeadLetters: t.Stats.DeadLetters.Load()}
}

// hear takes a task's report; also I/O goroutines call it.
func (s *Stepped) hear(msg any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, msg)
}

// Tasks lists the tasks, consumers before their producers. Between two steps their fields may be read.
func (s *Stepped) Tasks() []*Task { return s.d.Tasks }

// Counts is what task i has dropped until now, or with cut, until its newest cut.
func (s *Stepped) Counts(i int, cut bool) Counts {
	if cut {
		return s.counts[i]
	}
	return countsOf(s.d.Tasks[i])
}

// Step handles the control messages of task i and lets it take a turn at nowNS; see Task.Step. After an error, which is the one
// that would have failed the job's attempt, only Close may follow.
func (s *Stepped) Step(i int, nowNS int64) (worked bool, wakeAtNS int64, err error) {
	t := s.d.Tasks[i]
	err = guarded(t, func() {
		for msg, _ := t.mb.next(); msg != nil; msg, _ = t.mb.next() {
			t.control(msg)
			worked = true
		}
		turned, at := t.Step(nowNS)
		worked, wakeAtNS = worked || turned, at
	})
	s.take()
	return worked, wakeAtNS, errors.Join(err, s.failed)
}

// take carries out what was reported.
func (s *Stepped) take() {
	s.mu.Lock()
	reports := s.reports
	s.reports = nil
	s.mu.Unlock()
	for _, r := range reports {
		switch m := r.(type) {
		case acked:
			if m.epoch == s.epoch {
				s.acked++
				s.blocks = append(s.blocks, m.blocks...)
			}
		case ended:
			s.ended++
		case taskFinished:
			s.finished++
		case notClosed:
			s.failed = errors.Join(s.failed, fmt.Errorf("operator %q, task %d: close sink: %w", m.operator, m.task, m.err))
		}
	}
}

// Resting says whether no task would find work: what its last turn gave is all until time passes, or a split or I/O brings
// something.
func (s *Stepped) Resting() bool {
	for _, t := range s.d.Tasks {
		if t.mb.ready() {
			return false
		}
	}
	return true
}

// Wake makes sources ask their pollers again, whatever time these wanted: there may be something new.
func (s *Stepped) Wake() {
	for _, t := range s.d.Tasks {
		if t.source != nil {
			t.source.wake()
		}
	}
}

// Trigger begins the cut of an epoch: the sources cut at their next step. The cut before must be complete. batch is the number of
// the batch that ends with it, or flow.NoBatch. Behind the last cut nothing is read.
func (s *Stepped) Trigger(e flow.Epoch, batch int64, last bool) {
	s.epoch, s.acked, s.blocks = e, 0, nil
	for _, g := range s.d.Groups {
		for _, t := range g.Tasks {
			t.post(trigger{flow.BarrierOf(e, batch), last})
		}
	}
}

// Unalign makes all tasks cut the epoch that was triggered without waiting for its barriers. Not for one that ends a batch.
func (s *Stepped) Unalign() {
	for _, t := range s.d.Tasks {
		t.post(unalign{s.epoch, flow.NoBatch})
	}
}

// Cut gives the blocks of the epoch that was triggered, when all tasks have handed over theirs and all sinks have flushed.
func (s *Stepped) Cut() (blocks []delta.Block, complete bool) {
	if s.epoch == 0 || s.acked < len(s.d.Tasks) {
		return nil, false
	}
	return s.blocks, true
}

// Complete says that the epoch that was cut is complete, which is for the caller to decide: transactional sinks publish what they have
// prepared for it.
func (s *Stepped) Complete() {
	for _, t := range s.d.Tasks {
		if t.commits() {
			t.post(completed{epoch: s.epoch})
		}
	}
}

// Ended says whether all input has ended and the tasks have emitted everything.
func (s *Stepped) Ended() bool { return s.ended == len(s.d.Tasks) }

// Finish asks for the sinks' Finish, behind the last cut of an input that has ended.
func (s *Stepped) Finish() {
	for _, t := range s.d.Tasks {
		t.post(finish{ended: true})
	}
}

// Finished says whether all sinks have finished.
func (s *Stepped) Finished() bool { return s.finished == len(s.d.Tasks) }

// Close ends the attempt as a crash would: what is under way is lost. It waits for the tasks' I/O.
func (s *Stepped) Close() (err error) {
	for _, t := range s.d.Tasks {
		err = errors.Join(err, guarded(t, t.stop))
	}
	for _, t := range s.d.Tasks {
		t.io.Wait()
	}
	s.take()
	return errors.Join(err, s.failed)
}

// openStepped opens a split that can be polled, on the loop; it says whether it could be.
func (h *Head[T]) openStepped(s *split[T], from flow.Position) bool {
	r, err := h.src.Open(h.t.ctx, s.split, from)
	if err != nil {
		panic(failure{operatorError{h.id, fmt.Errorf("open source, split %s: %w", s.split.ID, err)}})
	}
	p, ok := r.(sources.Poller[T])
	if !ok {
		if err := r.Close(); err != nil {
			panic(failure{operatorError{h.id, fmt.Errorf("close source, split %s: %w", s.split.ID, err)}})
		}
		return false
	}
	s.poller = p
	h.t.opened = append(h.t.opened, r)
	return true
}

// wake implements source.
func (h *Head[T]) wake() {
	for _, s := range h.splits {
		s.wakeAtNS = 0
	}
}

// closeOpened closes what openStepped opened.
func (t *Task) closeOpened() {
	for _, r := range t.opened {
		if err := r.Close(); err != nil {
			t.report(notClosed{t.Chain, t.Index, err})
		}
	}
	t.opened = nil
}
