// Package sinks is where records leave a job: the contract of a sink, and the sinks that need no server.
package sinks

import (
	"context"
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// Sink makes the writers of an operator's tasks. Open is called once per task and attempt, before the first record.
type Sink[T any] interface {
	Open(ctx context.Context, at Instance) (Writer[T], error)
}

// Instance says for whom a writer writes.
type Instance struct {
	Job      string
	Lineage  string // changes only when a person starts the job anew
	Operator string
	Task     int // 0 to Tasks-1
	Tasks    int
	Attempt  flow.Attempt
	Restored flow.Epoch // from which the attempt starts, 0 for none or when it is not known; told to Transactional.Recover, not to Open
	Mode     Mode       // what is written; Append also for a stream, which has no other
	// Batched says that records come in batches, each ended by EndBatch: under a micro-batch trigger, and in complete mode. Otherwise
	// they come one by one, and EndBatch only tells where an interval ends.
	Batched bool
	// Resumes says that the job's state stays when the process ends: a later run of the lineage goes on from it.
	Resumes bool
}

// Writer writes one task's output. The engine calls it from one goroutine at a time: an I/O goroutine of its own, or the
// task's loop when the writer is Inline.
type Writer[T any] interface {
	// Write takes the records of b, in order, with their kinds. b is the engine's and valid during the call only.
	Write(ctx context.Context, b *flow.Batch[T]) error
	// Flush returns when all that was written is safe. It is called at every barrier, before the task acknowledges the
	// epoch, at the end of input and at a clean stop.
	Flush(ctx context.Context) error
	// Close releases what the writer holds. It is always called, also after an error, and does not imply Flush.
	Close() error
}

// Inline is a Writer whose Write and Flush never block (memory, a histogram): they run on the task's loop.
type Inline interface{ Inline() }

// Finisher is a Writer that wants to know that the input has truly ended: Finish is called once after the last Write and
// Flush of an attempt, and not at a stop from which the job will be resumed.
type Finisher interface {
	Finish(ctx context.Context) error
}

// Rewriter is a Sink that writes all it was given at Finish, and until then keeps nothing that outlives the attempt. It may read
// only Table.Final, whose rows each attempt that comes to the end of the input gives it anew; every other sink gets them once.
type Rewriter interface{ Rewrites() }

// Batcher is a Writer that wants to know where the batches of its input end: EndBatch is called behind the last Write of a
// batch, before the Flush of the same barrier. Batches are what lies between two triggers; they are numbered from 0,
// consecutively, also across restarts, and a batch that is done again after a crash keeps its number.
type Batcher interface {
	EndBatch(ctx context.Context, batch int64) error
}

// ErrFenced is returned by a writer that found that another run of the job took over: this one stops and does not restart.
var ErrFenced = errors.New("another run of this job took over")

// Checker is a Sink that can tell wrong configuration before a record flows. Start calls Check once.
type Checker interface {
	Check(ctx context.Context) error
}

// Guarantor is a Sink that says in a few words what it guarantees, printed at start: "at-least-once".
type Guarantor interface {
	Guarantee() string
}
