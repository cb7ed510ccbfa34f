package sinks

import (
	"context"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Committer is a Writer whose output nobody sees before the epoch that it belongs to is complete: two-phase commit. Prepare makes it
// safe, the epoch's record makes it part of the job, Commit publishes it. After a crash Transactional.Recover does what is left.
//
// The engine calls Write and Prepare from one I/O goroutine and Commit from another: a commit runs beside the writing of later epochs, and
// does not wait for it. Close is called when both have ended; a Committer is never Inline. Prepare takes the place of Flush, which
// is not called. Any error fails the attempt: the next one begins with Recover.
//
// The commit of an epoch may come when the next has been prepared already, and when epochs are abandoned several may be prepared (up to
// Config.EpochFailuresMax) before one commit publishes them all.
type Committer interface {
	// Prepare returns when all that was written since the last Prepare is safe and can be published by any process that has the
	// token, which goes into the record of the epoch. nil: nothing was written, there is nothing to publish. Behind a barrier that ends a batch it
	// follows EndBatch.
	Prepare(ctx context.Context, epoch flow.Epoch) (token []byte, err error)
	// Commit publishes what tokens name, oldest first: those that this writer's Prepare gave, each once. All of them stand in the
	// record of an epoch that is complete. It returns when it is known to be published; an answer that was lost must be asked for again.
	Commit(ctx context.Context, tokens [][]byte) error
}

// Transactional is a Sink whose writers are Committers.
type Transactional interface {
	// Commits says how the sink is configured. Start asks for it once.
	Commits() Cadence
	// Recover is called once for each attempt of the lineage, the first included, when all writers of the operator have been opened
	// and none has been written to: Open must leave what older attempts have prepared alone. It publishes what prepared names, and gives up all else
	// that older attempts of the lineage have left unpublished, whatever number of tasks they had. at has the tasks of the new attempt; its Task is 0.
	//
	// prepared is what the epoch holds from which the attempt starts, ordered by epoch and task. Some of it may have been published
	// already, and not only the newest: an epoch's tokens stay in records until a later epoch says that they were committed. What cannot be known to be published
	// is an error, never a silent success. A run that finds itself overtaken returns ErrFenced.
	Recover(ctx context.Context, at Instance, prepared []Prepared) error
}

// Expirer is a Transactional sink whose outside gives up what was prepared and not committed in time. Start refuses a configuration under which a
// commit may come later.
type Expirer interface {
	PreparedFor() time.Duration
}

// Prepared is a token with the Prepare that made it.
type Prepared struct {
	Attempt flow.Attempt
	Epoch   flow.Epoch
	Task    int
	Token   []byte
}

// Cadence says when a sink publishes.
type Cadence uint8

const (
	// AtOnce: the sink publishes as it writes. Its writers are no Committers.
	AtOnce Cadence = iota
	// PerEpoch: each epoch's output is published by its commit. Epochs are then 20 ms apart where the configuration does not say otherwise.
	PerEpoch
	// PerBatch: output is published by the commit of the epoch that ends a batch; before, Prepare only makes it resumable. Commit is
	// told of those tokens too, and then the records forget them: until the batch has ended each Prepare gives a token of all its output
	// so far, also when nothing was added.
	PerBatch
)
