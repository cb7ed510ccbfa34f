package actors

import (
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

// EpochStats is how an epoch went.
type EpochStats struct {
	Number flow.Epoch
	// Duration is from the barrier of the sources to the durable record.
	Duration time.Duration
	// Alignment is the longest time that a task had lanes masked: from its first barrier to its cut.
	Alignment time.Duration
	// Unaligned says that it was cut ahead of barriers.
	Unaligned bool
}

// NewestEpochStats is how the newest complete epoch of this process went; false when there is none.
func (j *Job) NewestEpochStats() (EpochStats, bool) {
	if s := j.epochStats.Load(); s != nil {
		return *s, true
	}
	return EpochStats{}, false
}

// epochInFlight is what is known of the epoch in flight. The job's loop owns it.
type epochInFlight struct {
	startNS   int64
	alignNS   int64
	unaligned bool
}

// completedStats publishes how the epoch in flight went, now that it is complete.
func (j *Job) completedStats(d barrier.Do) {
	e := j.inFlight
	j.epochStats.Store(&EpochStats{
		Number: d.Epoch, Duration: time.Duration(j.cfg.Now() - e.startNS), Alignment: time.Duration(e.alignNS), Unaligned: e.unaligned,
	})
}

// aligning notes a barrier on one of the lanes: the first of an epoch begins to hold the task back.
func (t *Task) aligning() {
	if t.alignSinceNS == 0 {
		t.alignSinceNS = t.Env.Clock.NowNS
	}
}

// aligned ends what aligning began, and gives its length in nanoseconds.
func (t *Task) aligned() (ns int64) {
	if t.alignSinceNS != 0 {
		ns = t.Env.Clock.NowNS - t.alignSinceNS
	}
	t.alignSinceNS = 0
	return ns
}
