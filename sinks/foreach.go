package sinks

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// ForEachWriter handles the records of one task, one epoch after the other. ForEach calls it from one goroutine at a time, which may
// wait until ctx ends.
type ForEachWriter[T any] interface {
	// Open begins an epoch with its first record. False skips it: its records are not processed and Close is not called.
	Open(ctx context.Context, task int, epoch int64) (bool, error)
	// Process handles a record, with its kind.
	Process(ctx context.Context, r Row[T]) error
	// Close ends an epoch that was opened. With a nil cause it must return only when the records are safe; otherwise cause is why
	// the epoch failed, and what was processed is to be undone.
	Close(ctx context.Context, cause error) error
}

// Releaser is a ForEachWriter that holds something beyond an epoch, such as a client: Release is called when the attempt ends.
type Releaser interface {
	Release() error
}

// ForEach is a sink that hands each record to an object made by make, one for each task and attempt, on an I/O goroutine of the task.
// An error of the object fails the attempt, and the records since the newest complete epoch come again.
//
// Under a micro-batch trigger the epoch is the number of the batch, whose records are handed over at its end, when the number is
// known; memory holds a batch. A batch that is done again after a crash has its number and its input again, so an object that
// remembers, in the transaction of its records, which epoch of which task it has closed, and skips that one, writes each record
// once, if the job's functions are deterministic and its parallelism stays. In real-time mode records are handed over as they come, an epoch
// ends with each barrier, and its number is one that never comes again: nothing is to be skipped by it.
func ForEach[T any](make func() ForEachWriter[T]) Sink[T] { return forEach[T](make) }

type forEach[T any] func() ForEachWriter[T]

func (f forEach[T]) Check(context.Context) error {
	if f == nil {
		return errors.New("foreach: function is nil")
	}
	return nil
}

func (f forEach[T]) Guarantee() string { return "at-least-once" }

func (f forEach[T]) Open(_ context.Context, at Instance) (Writer[T], error) {
	w := f()
	if w == nil {
		return nil, errors.New("foreach: function made no writer")
	}
	return &forEachTask[T]{w: w, task: at.Task, batched: at.Batched, epoch: int64(at.Attempt) << epochsOfAttemptBits}, nil
}

// errEpochLost is the cause of an epoch that is closed because its attempt ended.
var errEpochLost = errors.New("the attempt ended within the epoch")

// releaseTimeout bounds what an object does when its attempt is over.
const releaseTimeout = 10 * time.Second

// epochsOfAttemptBits leaves room for the epochs of an attempt: at one each 10 ms, for a year.
const epochsOfAttemptBits = 32

// forEachTask is the writer of a task.
type forEachTask[T any] struct {
	w             ForEachWriter[T]
	task          int
	batched       bool
	held          []Row[T] // of the batch, when there are batches
	epoch         int64
	open, skipped bool
}

func (t *forEachTask[T]) Write(ctx context.Context, b *flow.Batch[T]) error {
	if t.batched {
		t.held = appendRows(t.held, b)
		return nil
	}
	for i := range b.Records {
		if err := t.process(ctx, Row[T]{b.KindOf(i), b.Records[i].TimeNS, b.Records[i].Value}); err != nil {
			return err
		}
	}
	return nil
}

func (t *forEachTask[T]) process(ctx context.Context, r Row[T]) error {
	if !t.open && !t.skipped {
		ok, err := t.w.Open(ctx, t.task, t.epoch)
		if err != nil {
			return err
		}
		t.open, t.skipped = ok, !ok
	}
	if t.skipped {
		return nil
	}
	if err := t.w.Process(ctx, r); err != nil {
		t.open = false
		return errors.Join(err, t.w.Close(ctx, err))
	}
	return nil
}

func (t *forEachTask[T]) EndBatch(ctx context.Context, batch int64) error {
	if !t.batched {
		return nil
	}
	t.epoch = batch
	for _, r := range t.held {
		if err := t.process(ctx, r); err != nil {
			return err
		}
	}
	clear(t.held)
	t.held = t.held[:0]
	return t.finish(ctx)
}

// finish ends the epoch, if it was begun.
func (t *forEachTask[T]) finish(ctx context.Context) error {
	open := t.open
	t.open, t.skipped = false, false
	if !open {
		return nil
	}
	return t.w.Close(ctx, nil)
}

// Flush ends an epoch of records that came one by one.
func (t *forEachTask[T]) Flush(ctx context.Context) error {
	if t.batched {
		return nil
	}
	begun := t.open || t.skipped
	err := t.finish(ctx)
	if begun {
		t.epoch++
	}
	return err
}

func (t *forEachTask[T]) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	var err error
	if t.open {
		t.open = false
		err = t.w.Close(ctx, errEpochLost)
	}
	if r, ok := t.w.(Releaser); ok {
		err = errors.Join(err, r.Release())
	}
	return err
}
