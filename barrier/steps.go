package barrier

import (
	"fmt"
	"math"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/internal/planted"
)

// advance takes every step that is possible now and hands out the answer. Each input ends in it.
func (c *Coordinator) advance(nowNS int64) []Do {
	switch {
	case c.phase == aligning && c.answeredAll():
		c.record(nowNS)
	case c.phase == aligning && nowNS >= c.unalignNS:
		c.unalignNS, c.unaligned = math.MaxInt64, true
		c.add(Do{Kind: Unalign, Epoch: c.started, Batch: c.endsBatch})
	case c.phase == idle && c.lastComplete():
		c.phase = over
		c.add(Do{Kind: Finish, Epoch: c.completed, Ended: c.ended, Done: c.done})
	case c.phase != idle || c.reading:
	case c.stop || c.done || c.ends.missing == 0, c.asked && c.failures == 0:
		c.start(nowNS, false)
	case c.batched:
		c.advanceBatch(nowNS)
	case nowNS >= c.dueNS:
		c.start(nowNS, false)
	}
	// completed <= aligned <= started: no epoch is complete before its record, none recorded before all tasks answered.
	invariants.Check(c.completed <= c.aligned && c.aligned <= c.started, "epochs %d %d %d", c.completed, c.aligned, c.started)
	invariants.Check(len(c.pending) == int(c.started-c.completed), "%d epochs pending of %d to %d", len(c.pending), c.completed+1, c.started)
	do := c.do
	c.do = nil
	return do
}

// lastComplete says whether the epoch to finish on is complete. When a job's batches were all there was to do, and the last of
// them brought the end of input, one more tells so.
func (c *Coordinator) lastComplete() bool {
	return c.last && (c.completed == c.started || planted.On("finish-on-an-abandoned-epoch")) && (c.ended || c.stop || c.ends.missing > 0)
}

// start starts an epoch. endsBatch says that it ends the batch that was read; in real time that is a matter of time.
func (c *Coordinator) start(nowNS int64, endsBatch bool) {
	c.started++
	c.pending = append(c.pending, &epoch{c.started, newRollCall(c.cfg.Tasks)})
	c.ended = c.ends.missing == 0
	c.last = c.stop || c.done || c.ended
	c.saves = c.asked
	c.wait(aligning, nowNS)
	if !c.batched {
		c.due(nowNS)
		endsBatch = c.cfg.TriggerNS > 0 && (c.last || c.saves || nowNS >= c.triggerNS)
		if endsBatch {
			c.triggerNS = after(nowNS, c.cfg.TriggerNS)
		}
	}
	batch := int64(flow.NoBatch)
	if endsBatch {
		batch = c.batch
		c.batch++
	}
	c.endsBatch, c.unalignNS, c.unaligned = batch, math.MaxInt64, false
	if c.cfg.UnalignAfterNS > 0 && !c.last && len(c.pending) == 1 && (!endsBatch || !c.cfg.Triggered) {
		c.unalignNS = after(nowNS, c.cfg.UnalignAfterNS)
	}
	c.add(Do{Kind: Start, Epoch: c.started, Last: c.last, Batch: batch})
}

func (c *Coordinator) record(nowNS int64) {
	c.aligned = c.started
	c.wait(recording, nowNS)
	c.recordsPlan = c.plan == ready || c.plan == planned
	if planted.On("abandoned-epoch-not-carried") {
		c.completed = c.started - 1
		c.pending = c.pending[len(c.pending)-1:]
	}
	c.add(Do{Kind: Record, Epoch: c.started, From: c.completed + 1, Batch: c.batch - 1, Plan: c.recordsPlan})
}

func (c *Coordinator) complete() {
	c.completed, c.failures, c.phase = c.started, 0, idle
	c.pending = c.pending[:0]
	c.add(Do{Kind: Commit, Epoch: c.completed, Batch: c.batch - 1, Savepoint: c.saves})
	c.asked = c.asked && !c.saves
	c.completeBatch()
}

// abandon ends the epoch in flight without a record; it stays pending so that its late parts find their way into the next.
func (c *Coordinator) abandon(why error) {
	c.failures++
	c.phase = idle
	c.retryNS = after(c.deadlineNS-c.cfg.TimeoutNS, retryAfterNS)
	c.add(Do{Kind: Abandoned, Epoch: c.started, Err: why})
	if c.failures >= c.cfg.FailuresMax {
		c.fail(fmt.Errorf("%d epochs abandoned in a row: %w", c.failures, why))
	}
}

func (c *Coordinator) fail(why error) {
	c.phase = over
	c.add(Do{Kind: Fail, Err: why})
}

// answer notes that a task acknowledged e. Out of order, it fails the attempt.
func (c *Coordinator) answer(task int, e flow.Epoch) {
	if c.phase == over {
		return
	}
	switch {
	case task < 0 || task >= c.cfg.Tasks:
		c.fail(fmt.Errorf("epoch %d acknowledged by task %d: the job has tasks 0 to %d", e, task, c.cfg.Tasks-1))
	case e <= c.completed || e > c.started:
		c.fail(fmt.Errorf("epoch %d acknowledged by task %d: not pending (complete up to %d, started up to %d)", e, task, c.completed, c.started))
	case !c.pending[e-c.completed-1].tick(task):
		c.fail(fmt.Errorf("epoch %d acknowledged by task %d: it had answered before", e, task))
	}
}

// answeredAll says whether all tasks have answered for all pending epochs: abandoned ones are carried into the same record.
func (c *Coordinator) answeredAll() bool {
	for _, e := range c.pending {
		if e.missing > 0 && (e.missing > 1 || !planted.On("record-before-all-have-answered")) {
			return false
		}
	}
	return true
}

// waiting names the tasks that hold the record back, those of the oldest incomplete epoch.
func (c *Coordinator) waiting() string {
	for _, e := range c.pending {
		if e.missing > 0 {
			return fmt.Sprintf("%s of epoch %d", e.absent(), e.number)
		}
	}
	return "nothing"
}

func (c *Coordinator) wait(p phase, nowNS int64) {
	c.phase, c.deadlineNS = p, after(nowNS, c.cfg.TimeoutNS)
}

// due sets when the epoch after one that starts now is due.
func (c *Coordinator) due(nowNS int64) {
	c.dueNS = math.MaxInt64
	if c.cfg.EveryNS > 0 {
		c.dueNS = after(nowNS, c.cfg.EveryNS)
	}
}

func (c *Coordinator) add(d Do) { c.do = append(c.do, d) }

// after is t plus d, or MaxInt64 when that lies beyond it.
func after(t, d int64) int64 {
	if d > 0 && t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}
