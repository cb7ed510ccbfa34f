package barrier

import (
	"fmt"
	"math"
	"time"
)

// BatchConfig says how a job's input is divided into batches whose ends are known, and recorded, before their first record is
// read. The zero value does not: records flow in real time.
type BatchConfig struct {
	Batches      bool  // divide the input. EveryNS is then the time between two batches; 0: one follows the other
	Planned      bool  // the record that the attempt starts from holds the ends of batch number Batch: it is read first, also in real time
	BatchesMax   int64 // finish after so many; 0: after none
	UntilNothing bool  // finish when a plan finds nothing
	Unrecorded   bool  // epochs only drain: a plan is as good as recorded
}

const (
	// PollMinNS is the time until sources are asked again, when a plan found nothing and nothing else paces the batches. It
	// doubles with each such plan, up to PollMaxNS.
	PollMinNS = int64(10 * time.Millisecond)
	// PollMaxNS bounds that time.
	PollMaxNS = int64(100 * time.Millisecond)
	// retryAfterNS is the time after which a batch's end, or its plan, whose epoch was abandoned is recorded with another.
	retryAfterNS = PollMaxNS
)

// planPhase says what is known of the batch that follows.
type planPhase uint8

const (
	unplanned planPhase = iota
	asking              // sources were asked where it should end
	ready               // they have answered
	planned             // the answer is recorded: it may be read
)

// batching is the part of a Coordinator that divides the input. Its order is: ask, record the answer, read, cut the epoch that
// ends the batch, record it. The next batch's answer goes into that same record when it is there in time.
type batching struct {
	batched     bool // batches have ends; false: real time
	plan        planPhase
	reading     bool  // sources read the batch planned
	recordsPlan bool  // the record being written holds the plan
	done        bool  // no batch follows that was asked for
	ran         int64 // batches read
	pollNS      int64 // until sources are asked again that had nothing
	retryNS     int64 // when an abandoned epoch is followed by another
	originNS    int64 // of the grid of batches at an interval
}

func (c *Coordinator) beginBatches(nowNS int64) {
	c.pollNS, c.originNS = PollMinNS, nowNS
	if c.batched = c.cfg.Batches || c.cfg.Planned; !c.batched {
		return
	}
	c.dueNS = nowNS
	if c.cfg.Planned {
		c.plan = planned
	}
}

// Planned is the answer of all sources to Plan: whether there is something for a batch, be it records or the end of a split.
func (c *Coordinator) Planned(something bool, nowNS int64) []Do {
	switch {
	case c.phase == over:
	case c.plan != asking:
		c.fail(fmt.Errorf("batch %d planned, but no plan was asked for", c.batch))
	case something:
		c.plan, c.pollNS = ready, PollMinNS
	default:
		c.plan = unplanned
		c.nothing(nowNS)
	}
	return c.advance(nowNS)
}

// nothing follows a plan without anything: the end, or another look later.
func (c *Coordinator) nothing(nowNS int64) {
	switch {
	case c.cfg.UntilNothing:
		c.done = true
		c.last = c.phase != idle && !c.unaligned // the epoch in flight is the last, when it leaves no records on their way; else one more
		if c.last {
			c.unalignNS = math.MaxInt64
		}
	case c.cfg.EveryNS == 0:
		c.dueNS = after(nowNS, c.pollNS)
		c.pollNS = min(2*c.pollNS, PollMaxNS)
	}
}

// BatchRead is the answer of all sources to Read: the last record of the batch was processed.
func (c *Coordinator) BatchRead(nowNS int64) []Do {
	switch {
	case c.phase == over:
	case !c.reading:
		c.fail(fmt.Errorf("batch %d read, but it was not asked for", c.batch))
	default:
		c.reading, c.plan = false, unplanned
		c.ran++
		c.done = c.done || c.cfg.BatchesMax > 0 && c.ran >= c.cfg.BatchesMax
		c.start(nowNS, true)
		if c.cfg.Batches && !c.last && nowNS >= c.dueNS {
			c.ask(nowNS)
		}
	}
	return c.advance(nowNS)
}

// advanceBatch takes the next step between two epochs.
func (c *Coordinator) advanceBatch(nowNS int64) {
	switch {
	case c.completed < c.started: // an abandoned epoch ended the batch before, or was to record the plan
		if nowNS >= c.retryNS {
			c.start(nowNS, false)
		}
	case c.plan == unplanned && nowNS >= c.dueNS:
		c.ask(nowNS)
	case c.plan == ready && !c.cfg.Unrecorded:
		c.start(nowNS, false)
	case c.plan == ready, c.plan == planned:
		c.plan, c.reading = planned, true
		c.add(Do{Kind: Read, Batch: c.batch})
	}
}

// ask asks sources for the ends of the next batch. One at an interval is due at the points of a grid: who is late goes on at
// the next point there is, and makes up for none.
func (c *Coordinator) ask(nowNS int64) {
	c.plan = asking
	c.add(Do{Kind: Plan})
	if every := c.cfg.EveryNS; every > 0 {
		c.dueNS = after(nowNS, every-(nowNS-c.originNS)%every)
	}
}

// completeBatch follows a record: what it holds of a plan may be read now. Behind a batch of an earlier attempt, real time begins.
func (c *Coordinator) completeBatch() {
	if c.recordsPlan {
		c.plan = planned
	}
	if c.batched && !c.cfg.Batches && c.plan == unplanned {
		c.batched = false
		c.dueNS = after(c.deadlineNS-c.cfg.TimeoutNS, c.cfg.EveryNS)
		if c.cfg.EveryNS == 0 {
			c.dueNS = math.MaxInt64
		}
		c.add(Do{Kind: Flow})
	}
}

// nextBatchNS is when Tick wants to be called between two epochs.
func (c *Coordinator) nextBatchNS() int64 {
	switch {
	case c.completed < c.started:
		return c.retryNS
	case c.reading || c.plan == asking:
		return math.MaxInt64
	}
	return c.dueNS
}
