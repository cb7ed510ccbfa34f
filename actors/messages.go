package actors

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Control messages to a task, by its PID or from its own I/O goroutines.
type (
	// trigger asks a source task to cut: stamp positions, emit the barrier. Behind the last one it reads nothing.
	trigger struct {
		barrier flow.Mark
		last    bool
	}
	// unalign asks a task to cut an epoch now, ahead of the barriers that have not come.
	unalign struct {
		epoch flow.Epoch
		batch int64 // that ends with it, or flow.NoBatch
	}
	// planBatch asks a source task where its splits' parts of the next batch should end, of at most most records each.
	planBatch struct {
		ask     int
		most    int64
		whole   bool      // nor of limits of the source's own
		fix     bool      // say also where all that is there ends
		fixed   bool      // nothing behind targets is read, and nothing of splits that are not among them
		targets batchEnds // by split
	}
	// readBatch asks a source task to read its splits up to ends.
	readBatch struct{ ends batchEnds }
	// flowOn ends the division into batches.
	flowOn struct{}
	// addSplits hands a source task splits that were found while it runs.
	addSplits struct{ splits []assigned }
	// finish asks for the sinks' Finish, after the last epoch behind the end of input is complete.
	// When the input has not ended, only commits are awaited.
	finish struct{ ended bool }
	// completed tells a task with transactional sinks that an epoch is complete. With tell it answers when its output is public.
	completed struct {
		epoch flow.Epoch
		tell  bool
	}
	// sinkFlushed: the I/O goroutine of a sink has made everything up to the barrier safe, as token when it is to be published later.
	sinkFlushed struct {
		epoch flow.Epoch
		of    *output // nil when the sink publishes as it writes
		token []byte
	}
	// sinkCommitted: the I/O goroutine of a sink has published what it was asked to.
	sinkCommitted struct{ sink sink }
	// sinkFinished: the I/O goroutine of a sink has run Finish.
	sinkFinished struct{}
	// failed: an I/O goroutine of the task failed.
	failed struct{ err error }
	// recycle gives the memory of durable parts back to the task's store.
	recycle struct{ blocks []delta.Block }
	// do runs on the task's loop.
	do func()
)

// Reports of a task to its job.
type (
	acked struct {
		task   int
		epoch  flow.Epoch
		blocks []delta.Block
		// alignNS is how long lanes of the task were masked for it.
		alignNS int64
	}
	ended struct{ task int }
	// connection tells of a source's reader that lost its connection, or with a nil err, that it reads again.
	connection struct {
		operator, split string
		err             error
	}
	// notClosed: a writer's Close gave an error, after everything was flushed or the attempt had failed.
	notClosed struct {
		operator string
		task     int
		err      error
	}
	taskFinished struct{ task int }
	// published: all output up to an epoch that the job wants to hear of is public.
	published struct {
		task  int
		epoch flow.Epoch
	}
	// batchPlanned is a source task's answer to planBatch.
	batchPlanned struct {
		ask       int
		source    string
		something bool
		ends      batchEnds
		targets   batchEnds // when asked to fix them
	}
	// batchRead is a source task's answer to readBatch.
	batchRead struct{}
)

// assigned is a split with where its reader begins and what is known of it.
type assigned struct {
	split    flow.Split
	position flow.Position // nil: at split.Start
	finished bool          // its end was processed in an earlier attempt
	// watermarkNS is what its records have promised so far; hasWatermark says whether they have.
	watermarkNS  int64
	hasWatermark bool
}
