package barrier

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// CoordinatorConfig says how a job attempt paces its epochs. Only Tasks has no default.
type CoordinatorConfig struct {
	Tasks       int        // tasks of the job, numbered from 0; each answers for every epoch. At least 1
	First       flow.Epoch // the first epoch of this attempt; 0: 1
	EveryNS     int64      // from the start of an epoch to the start of the next; 0: only the last epoch is cut
	TimeoutNS   int64      // how long an epoch may wait for its tasks, and again for its record; 0: DefaultTimeoutNS
	FailuresMax int        // so many epochs abandoned in a row fail the attempt; 0: DefaultFailuresMax
	// UnalignAfterNS is how long after its start an epoch is cut ahead of the barriers that have not arrived; 0: never. A last epoch never
	// is: what a job that stops leaves is output, and no records on their way. Nor is one that ends a batch when Triggered.
	UnalignAfterNS int64
	Triggered      bool // tasks do something at the end of a batch, which has to see all of the batch

	Batch     int64 // the number of the next batch to end
	TriggerNS int64 // in real time: an epoch that starts so long after the newest trigger is one, and so is the last; 0: none is
	BatchConfig
}

const (
	// DefaultTimeoutNS is how long an epoch waits for its tasks unless configured.
	DefaultTimeoutNS = int64(30 * time.Second)
	// DefaultFailuresMax is how many epochs in a row may be abandoned, the last of them failing the attempt.
	DefaultFailuresMax = 3
)

// phase says what the coordinator waits for.
type phase uint8

const (
	idle      phase = iota // no epoch in flight
	aligning               // the tasks' answers for the newest epoch, and late ones
	recording              // the answer to Record
	over                   // nothing: Fail or Finish was given
)

// Coordinator paces the epochs of one job attempt: one in flight at a time. It belongs to the job actor's loop. All times
// are nanoseconds of one clock that does not step back; any origin will do.
type Coordinator struct {
	cfg   CoordinatorConfig
	phase phase

	// completed <= aligned <= started: no epoch is complete before its record, none recorded before all tasks answered.
	started   flow.Epoch // the newest epoch whose barrier the sources were told to emit
	aligned   flow.Epoch // the newest epoch for which a record was asked
	completed flow.Epoch // the newest epoch with a record, or one before First

	pending    []*epoch // completed+1 … started, oldest first; while one is in flight it is the last
	failures   int      // epochs abandoned in a row
	dueNS      int64    // when the next epoch is due; MaxInt64 never
	deadlineNS int64    // when the phase times out; holds while aligning and recording
	unalignNS  int64    // when the epoch in flight is cut ahead of its barriers; MaxInt64 never, or it was
	unaligned  bool     // it was
	endsBatch  int64    // the batch that the epoch in flight ends, NoBatch for none

	ends  rollCall // the tasks that have ended
	stop  bool     // Stop was called
	last  bool     // the newest epoch is a last one
	ended bool     // all tasks had ended when the newest epoch started
	asked bool     // Savepoint was called, and no epoch that serves is complete
	saves bool     // the newest epoch serves
	do    []Do     // the answer being put together

	batch     int64 // the number of the next batch to end
	triggerNS int64 // in real time: when the next epoch to start is a trigger
	batching
}

// NewCoordinator makes the coordinator of an attempt that begins now: the first epoch is due EveryNS later. It panics
// without tasks.
func NewCoordinator(cfg CoordinatorConfig, nowNS int64) *Coordinator {
	if cfg.Tasks < 1 {
		panic(fmt.Sprintf("barrier: coordinator for %d tasks, want at least 1", cfg.Tasks))
	}
	if cfg.First == 0 {
		cfg.First = 1
	}
	if cfg.TimeoutNS == 0 {
		cfg.TimeoutNS = DefaultTimeoutNS
	}
	if cfg.FailuresMax == 0 {
		cfg.FailuresMax = DefaultFailuresMax
	}
	before := cfg.First - 1
	c := &Coordinator{cfg: cfg, started: before, aligned: before, completed: before, ends: newRollCall(cfg.Tasks), batch: cfg.Batch}
	c.triggerNS = after(nowNS, cfg.TriggerNS)
	c.due(nowNS)
	c.beginBatches(nowNS)
	return c
}

// Tick starts the epoch that is due, or ends one that took too long. Call it at NextNS; earlier or later does no harm.
func (c *Coordinator) Tick(nowNS int64) []Do {
	if c.phase == aligning && nowNS >= c.deadlineNS {
		c.abandon(fmt.Errorf("epoch %d abandoned after %v: waiting for %s",
			c.started, time.Duration(c.cfg.TimeoutNS), c.waiting()))
	}
	if c.phase == recording && nowNS >= c.deadlineNS {
		// Whether the record exists is unknown: only the next attempt, taking the slot behind it, finds out.
		c.fail(fmt.Errorf("record of epoch %d: no answer after %v", c.started, time.Duration(c.cfg.TimeoutNS)))
	}
	return c.advance(nowNS)
}

// Ack says that the task's part of e is handed over: it need not be asked for again. A part of an abandoned epoch counts
// for the next record.
func (c *Coordinator) Ack(task int, e flow.Epoch, nowNS int64) []Do {
	c.answer(task, e)
	return c.advance(nowNS)
}

// Recorded says that the record of e took its slot or, with an error, that it did not and never will: then e is abandoned
// and its parts go into the next record. Wrap ErrFenced when another run has the slot; when nobody can tell, do not
// answer with a guess but end the attempt.
func (c *Coordinator) Recorded(e flow.Epoch, err error, nowNS int64) []Do {
	switch {
	case c.phase == over:
	case c.phase != recording || e != c.started:
		c.fail(fmt.Errorf("record of epoch %d answered, but none was asked for (newest started epoch: %d)", e, c.started))
	case errors.Is(err, ErrFenced):
		c.fail(fmt.Errorf("record of epoch %d: %w", e, err))
	case err != nil && !planted.On("record-error-ignored"):
		c.abandon(fmt.Errorf("record of epoch %d: %w", e, err))
	default:
		c.complete()
	}
	return c.advance(nowNS)
}

// Ended says that the task has processed the end of all its inputs; for a source, that all its splits ended. When all
// tasks have, a last epoch is cut.
func (c *Coordinator) Ended(task int, nowNS int64) []Do {
	switch {
	case c.phase == over:
	case task < 0 || task >= c.cfg.Tasks:
		c.fail(fmt.Errorf("task %d ended: the job has tasks 0 to %d", task, c.cfg.Tasks-1))
	case !c.ends.tick(task):
		c.fail(fmt.Errorf("task %d ended twice", task))
	}
	return c.advance(nowNS)
}

// Stop asks for a last epoch, after the running one and after the batch that is being read, and then Finish. Repeating it
// changes nothing.
func (c *Coordinator) Stop(nowNS int64) []Do {
	c.stop = true
	return c.advance(nowNS)
}

// Savepoint asks for an epoch with nothing left over: all output that sinks have prepared up to it is published by its commit. It is
// the next one that starts, and starts as soon as it can: in real time it is a trigger, else it is cut between two batches. Its Commit
// has Savepoint set; so has that of the next when it is abandoned.
func (c *Coordinator) Savepoint(nowNS int64) []Do {
	c.asked = true
	return c.advance(nowNS)
}

// StopWithSavepoint is Stop with an epoch to finish on that is one for Savepoint.
func (c *Coordinator) StopWithSavepoint(nowNS int64) []Do {
	c.asked, c.stop = true, true
	return c.advance(nowNS)
}

// NextNS is when Tick wants to be called, in the clock's nanoseconds; MaxInt64 never, until another input changes it.
func (c *Coordinator) NextNS() int64 {
	switch c.phase {
	case aligning:
		return min(c.deadlineNS, c.unalignNS)
	case recording:
		return c.deadlineNS
	case idle:
		if c.batched {
			return c.nextBatchNS()
		}
		return c.dueNS
	}
	return math.MaxInt64
}
