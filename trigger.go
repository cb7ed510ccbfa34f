package millrace

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/barrier"
)

// Trigger says when the batches of a job begin and end. A topology runs under any of them without a change. The zero value is
// RealTime(0).
type Trigger struct {
	kind     triggerKind
	interval time.Duration
}

type triggerKind uint8

const (
	realTime triggerKind = iota
	microBatch
	once
	availableNow
)

// RealTime lets records flow one by one, as they come. Batches have no ends that are known beforehand: the interval paces
// checkpoints, and what lies between two of them is a batch to those operators and sinks that want to know of one. It sets
// Config.CheckpointEvery where that is 0.
func RealTime(interval time.Duration) Trigger { return Trigger{realTime, interval} }

// MicroBatch reads one batch after the other, as fast as possible. Where a batch ends in each split is recorded before its
// first record is read, and no record behind it is read before the batch is complete. Without data there is no batch.
func MicroBatch() Trigger { return Trigger{kind: microBatch} }

// Every is MicroBatch with a batch each interval, at least 10 ms. After a batch that took longer, the next begins at once;
// the ticks it missed are not made up for. Timers and watermarks do not wait for a tick.
func Every(interval time.Duration) Trigger { return Trigger{microBatch, interval} }

// Once reads one batch of all there is, whatever Config.MaxRecordsPerBatch and the sources' own limits say, and ends the job. A batch that an earlier run
// had planned and not completed is that batch.
func Once() Trigger { return Trigger{kind: once} }

// AvailableNow reads what is there when the job starts, in as many batches as Config.MaxRecordsPerBatch asks for, and ends
// the job. Splits that are found later are for the next run.
func AvailableNow() Trigger { return Trigger{kind: availableNow} }

// String gives the trigger's name, as the flag --trigger spells it.
func (t Trigger) String() string {
	switch t.kind {
	case realTime:
		return "real-time"
	case once:
		return "once"
	case availableNow:
		return "available-now"
	}
	if t.interval > 0 {
		return "every=" + t.interval.String()
	}
	return "micro-batch"
}

// batches says whether the input is read in batches.
func (t Trigger) batches() bool { return t.kind != realTime }

// ends says whether the job ends with the batches there are.
func (t Trigger) ends() bool { return t.kind == once || t.kind == availableNow }

// faults are what is wrong with the trigger.
func (t Trigger) faults() error {
	switch {
	case t.kind == realTime && t.interval < 0:
		return fmt.Errorf("Trigger is RealTime(%v), want at least 0", t.interval)
	case t.kind == microBatch && t.interval != 0 && t.interval < intervalMin:
		return fmt.Errorf("Trigger is Every(%v), want at least %v", t.interval, intervalMin)
	}
	return nil
}

// batchConfig is how the job actor divides the input.
func (c Config) batchConfig() actors.BatchConfig {
	t := c.Trigger
	b := actors.BatchConfig{
		BatchConfig: barrier.BatchConfig{Batches: t.batches(), UntilNothing: t.ends()},
		Max:         c.MaxRecordsPerBatch, FixedEnds: t.kind == availableNow,
	}
	switch t.kind {
	case microBatch:
		b.EveryNS = int64(t.interval)
	case once:
		b.BatchesMax, b.Max, b.Whole = 1, 0, true
	}
	return b
}

// boundless names the sources whose batches cannot end where they were said to: a trigger that ends the job needs those.
func (j *Job) boundless(t Trigger) (faults []error) {
	if !t.ends() {
		return nil
	}
	for _, s := range j.steps {
		if s.splits != nil && !s.splits.bounds {
			faults = append(faults, fmt.Errorf("operator %q: Trigger is %v, but the source cannot say where a batch should end; "+
				"use RealTime, MicroBatch or Every, or a source that can", s.ID, t))
		}
	}
	return faults
}

// announceBatches says at start of which sources a batch that is done again may hold other records than before.
func (j *Job) announceBatches(c Config, log *slog.Logger) {
	for _, s := range j.steps {
		if s.splits != nil && !s.splits.bounds {
			log.Warn("source cannot say where a batch should end: a batch of it is what was there, and done again after a failure it may hold other records",
				"operator", s.ID, "trigger", c.Trigger)
		}
	}
}

var errCommitEvery = errors.New("CommitEvery has no meaning when Trigger reads batches: an epoch ends each batch; leave it 0")
