package barrier

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// ErrFenced, wrapped in an error given to Recorded, says that another run took over the lineage. The
// coordinator answers with Fail at once instead of trying the next epoch.
var ErrFenced = errors.New("another run took over")

// DoKind names an action of the coordinator.
type DoKind uint8

const (
	// Start tells all sources to stamp their positions and emit the barrier of Epoch. With Last they read nothing after it.
	Start DoKind = iota + 1
	// Record writes the segment and the record of Epoch, with the parts of all epochs From to Epoch; Recorded is its answer.
	Record
	// Commit tells all sinks that Epoch is complete: publish what was prepared for epochs up to it.
	Commit
	// Abandoned says that Epoch will have no record of its own, for the reason Err: log it and keep its parts, they go into
	// the next record. Parts that arrive late are kept too.
	Abandoned
	// Fail ends the attempt, for the reason Err. Nothing follows it.
	Fail
	// Plan asks all sources where the next batch should end; Planned is the answer.
	Plan
	// Read lets all sources read the batch that was planned, to its ends and not beyond; BatchRead is the answer.
	Read
	// Flow lets all sources read on without ends, behind a batch that an earlier attempt had planned: what follows is real time.
	Flow
	// Unalign tells all tasks to cut Epoch now, ahead of the barriers that have not arrived: aligning takes too long.
	Unalign
	// Finish ends the job: the last epoch is complete. Let the sinks end their commits first. Nothing follows it.
	Finish
)

// String gives the kind's name in lower case, for logs and scripts.
func (k DoKind) String() string {
	switch k {
	case Start:
		return "start"
	case Record:
		return "record"
	case Commit:
		return "commit"
	case Abandoned:
		return "abandoned"
	case Fail:
		return "fail"
	case Plan:
		return "plan"
	case Read:
		return "read"
	case Flow:
		return "flow"
	case Unalign:
		return "unalign"
	case Finish:
		return "finish"
	}
	return "unknown"
}

// Do is one thing the job actor has to do. Fields without a meaning for the kind are zero.
type Do struct {
	Kind  DoKind
	Epoch flow.Epoch // Start, Unalign, Record, Commit, Abandoned: the epoch meant. Finish: the last complete one
	From  flow.Epoch // Record: the oldest epoch whose parts belong in this record; From < Epoch when some were abandoned
	Last  bool       // Start: an epoch to finish on; an abandoned one is tried again
	Ended bool       // Finish: all tasks had ended before the last epoch started
	Done  bool       // Finish: all batches that were asked for are complete; neither Ended nor Done: the job was stopped
	Err   error      // Abandoned, Fail: why

	// Batch is the batch that the barrier of Start or Unalign ends, NoBatch when it is no trigger; Record, Commit: the newest batch that
	// has ended with the epoch, NoBatch before the first; Read: the batch to be read.
	Batch int64
	// Savepoint, of Commit: the epoch is the one that Savepoint asked for.
	Savepoint bool
	Plan      bool // Record: the ends of the batch that follows belong in the record
}

// String renders the action on one line, for logs and scripts.
func (d Do) String() string {
	s := d.Kind.String()
	if d.Epoch != 0 {
		s += fmt.Sprintf(" epoch=%d", d.Epoch)
	}
	if d.Kind == Record && d.From != d.Epoch {
		s += fmt.Sprintf(" from=%d", d.From)
	}
	if d.Last {
		s += " last"
	}
	switch d.Kind {
	case Finish:
		s += fmt.Sprintf(" ended=%t", d.Ended)
		if d.Done {
			s += " done"
		}
	case Start, Record, Commit, Read, Unalign:
		if d.Batch != flow.NoBatch {
			s += fmt.Sprintf(" batch=%d", d.Batch)
		}
	}
	if d.Savepoint {
		s += " savepoint"
	}
	if d.Plan {
		s += " plan"
	}
	if d.Err != nil {
		s += fmt.Sprintf(" err=%q", d.Err)
	}
	return s
}
