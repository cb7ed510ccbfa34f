package millrace

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Watermark says how a stream's watermark follows its event times. It is kept per split, moves with each batch, and is the
// earliest of all splits and inputs that are not idle. It never moves back, also not over a restart.
type Watermark struct {
	// Delay is how far the watermark stays behind the newest event time of its split: records at most this much out of order
	// are on time. The default is 0.
	Delay time.Duration
	// Idle is how long a split whose reader knows that it is at its end may be silent before it stops holding the watermark
	// back; 0 means 1 s, negative: it always does. A split that lags or is disconnected is never idle.
	Idle time.Duration
	// AheadMax is how far a split may run ahead of the slowest one of all streams of the job that set it; further ahead it is
	// not read. 0: no bound. A stream that has not yet had a record, and is not idle, holds the others.
	AheadMax time.Duration
	// DropUndated counts records without event time (the zero time.Time) as late; otherwise one fails the job.
	DropUndated bool
}

const defaultIdle = time.Second

func (w Watermark) withDefaults() Watermark {
	if w.Idle == 0 {
		w.Idle = defaultIdle
	}
	return w
}

// EventTime gives each record the event time that at reads from it, and the stream a watermark. at is pure. Call it directly
// behind From, or behind steps that keep records in their task (Map, Filter, FlatMap): there the watermark is kept per split.
// Behind a KeyBy, Union or Repartition it is kept per task, and counts records as late that only the shuffle made so.
func (s Stream[T]) EventTime(id string, w Watermark, at func(T) time.Time) Stream[T] {
	s.need(id, at == nil)
	return clock(s, "EventTime", "event-time", id, w, func(tb *taskBuild, k *operators.EventClock, next func(T)) func(T) {
		return operators.EventTime(tb.task.Env, id, k, w.DropUndated, at, next)
	})
}

// SourceTime makes the time that the source gave each record its event time, and gives the stream a watermark: the timestamp of
// a Kafka record, the due time of a generated one.
func (s Stream[T]) SourceTime(id string, w Watermark) Stream[T] {
	return clock(s, "SourceTime", "source-time", id, w, func(tb *taskBuild, k *operators.EventClock, next func(T)) func(T) {
		return operators.SourceTime(tb.task.Env, k, next)
	})
}

// processingTick is how often the watermark of a stream on processing time moves when there is nothing else to do.
const processingTick = 10 * time.Millisecond

// ProcessingTime makes the engine's clock the event time: windows and timers then follow the clock on the wall, within 10 ms,
// whether there is input or not.
func (s Stream[T]) ProcessingTime(id string) Stream[T] {
	return derive(s, "ProcessingTime", "processing-time", id, plan.Step{Clock: true}, plan.Forward, func(tb *taskBuild, next func(T)) func(T) {
		operators.NewEventClock(tb.task.Env, operators.EventClockConfig{Tick: processingTick})
		return operators.ProcessingTime(tb.task.Env, next)
	})
}

func clock[T any](s Stream[T], made, kind, id string, w Watermark, into func(*taskBuild, *operators.EventClock, func(T)) func(T)) Stream[T] {
	if w.Delay < 0 {
		s.job.fault(fmt.Errorf("operator %q: Watermark.Delay is %v, want at least 0", id, w.Delay))
	}
	if w.AheadMax < 0 {
		s.job.fault(fmt.Errorf("operator %q: Watermark.AheadMax is %v, want at least 0; 0 is no bound", id, w.AheadMax))
	}
	w = w.withDefaults()
	return derive(s, made, kind, id, plan.Step{Clock: true}, plan.Forward, func(tb *taskBuild, next func(T)) func(T) {
		k := operators.NewEventClock(tb.task.Env, operators.EventClockConfig{Delay: w.Delay, Idle: w.Idle, AheadMax: w.AheadMax, Clocks: tb.d.clocks})
		return into(tb, k, next)
	})
}

// timeless finds the operators that wait for a watermark and get none.
func (j *Job) timeless() (faults []error) {
	has := map[*step]bool{}
	for _, s := range j.steps { // in topological order
		has[s] = s.Clock || s.timed
		if s.Clock || s.Source {
			continue
		}
		has[s] = len(s.readers) > 0
		for _, r := range s.readers {
			if has[r.from()] {
				continue
			}
			has[s] = false
			if s.Waits && !s.untimed {
				faults = append(faults, fmt.Errorf("operator %q works on event time, but what it reads from %q has no watermark; call EventTime, SourceTime or ProcessingTime behind the source",
					s.ID, r.from().ID))
			}
		}
	}
	return faults
}
