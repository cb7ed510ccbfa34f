package operators

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// Times of records are kept within these bounds: a watermark says more than any of them at either end.
const (
	TimeMinNS = math.MinInt64 + 1
	TimeMaxNS = math.MaxInt64 - 1
)

// NanosOf is t in nanoseconds since the Unix epoch. Times before 1677-09-21 and after 2262-04-11 do not fit and become the
// first and the last there is.
func NanosOf(t time.Time) int64 {
	switch s := t.Unix(); {
	case s <= TimeMinNS/int64(time.Second):
		return TimeMinNS
	case s >= TimeMaxNS/int64(time.Second):
		return TimeMaxNS
	}
	return t.UnixNano()
}

// Minus is ns - d without wrapping around, d not negative.
func Minus(ns int64, d time.Duration) int64 {
	if ns < TimeMinNS+int64(d) {
		return TimeMinNS
	}
	return ns - int64(d)
}

// Plus is ns + d without wrapping around, d not negative.
func Plus(ns int64, d time.Duration) int64 {
	if ns > TimeMaxNS-int64(d) {
		return TimeMaxNS
	}
	return ns + int64(d)
}

// ErrUndated is why a record without event time fails the job.
var ErrUndated = errors.New("record without event time (the zero time.Time); filter such records before this operator, or drop them with Watermark.DropUndated")

// Clocks are the event-time clocks of a job that run together: none further ahead of the slowest than its bound. Each task
// has a place; the others read it.
type Clocks struct{ at []*atomic.Int64 }

// Join makes a place, while the job is built.
func (c *Clocks) Join() *atomic.Int64 {
	p := new(atomic.Int64)
	p.Store(flow.NoWatermarkNS)
	c.at = append(c.at, p)
	return p
}

// slowest is the earliest watermark of all.
func (c *Clocks) slowest() int64 {
	low := int64(math.MaxInt64)
	for _, p := range c.at {
		low = min(low, p.Load())
	}
	return low
}

// EventClock gives records their event time and keeps, per split, the watermark: the newest event time less a delay.
type EventClock struct {
	delay    time.Duration
	idleNS   int64
	aheadMax time.Duration
	clocks   *Clocks
	place    *atomic.Int64
	newest   []int64 // by split
	tickNS   int64
}

// EventClockConfig is how an EventClock keeps time.
type EventClockConfig struct {
	Delay    time.Duration
	Idle     time.Duration // 0: never idle
	AheadMax time.Duration // 0: as far ahead as it comes
	Tick     time.Duration // how often the watermark follows the engine's clock; 0: it follows the records
	Clocks   *Clocks       // needed for AheadMax
}

// NewEventClock makes the clock of a task and registers it with e.
func NewEventClock(e *Env, c EventClockConfig) *EventClock {
	k := &EventClock{delay: c.Delay, idleNS: int64(c.Idle), aheadMax: c.AheadMax, clocks: c.Clocks, tickNS: int64(c.Tick)}
	if c.Idle <= 0 {
		k.idleNS = math.MaxInt64
	}
	if c.AheadMax > 0 {
		k.place = c.Clocks.Join()
	}
	e.KeepTime(k)
	return k
}

// SplitNS implements Timekeeper.
func (k *EventClock) SplitNS(split int) int64 {
	if split >= len(k.newest) || k.newest[split] == flow.NoWatermarkNS {
		return flow.NoWatermarkNS
	}
	if planted.On("watermark-without-delay") {
		return k.newest[split]
	}
	return Minus(k.newest[split], k.delay)
}

// IdleNS implements Timekeeper.
func (k *EventClock) IdleNS() int64 { return k.idleNS }

// Held implements Timekeeper.
func (k *EventClock) Held(ns int64) bool {
	return k.place != nil && ns != flow.NoWatermarkNS && Minus(ns, k.aheadMax) > k.clocks.slowest()
}

// TickNS implements Timekeeper.
func (k *EventClock) TickNS() int64 { return k.tickNS }

// Publish implements Timekeeper.
func (k *EventClock) Publish(ns int64) {
	if k.place != nil {
		k.place.Store(ns)
	}
}

// saw notes an event time of the split in hand.
func (k *EventClock) saw(split int, ns int64) {
	for split >= len(k.newest) {
		k.newest = append(k.newest, flow.NoWatermarkNS)
	}
	if ns > k.newest[split] {
		k.newest[split] = ns
	}
}

// EventTime gives each record the event time that at reads from it. A zero time fails the job, unless dropUndated counts it
// as late instead.
func EventTime[T any](e *Env, id string, k *EventClock, dropUndated bool, at func(T) time.Time, next func(T)) func(T) {
	return func(v T) {
		t := at(v)
		if t.IsZero() {
			if dropUndated {
				e.Late++
				return
			}
			panic(UserError{Operator: id, Err: ErrUndated})
		}
		came := e.TimeNS // other readers of the same record see it as it came
		e.TimeNS = NanosOf(t)
		k.saw(e.Split, e.TimeNS)
		next(v)
		e.TimeNS = came
	}
}

// SourceTime keeps the event time that the source gave.
func SourceTime[T any](e *Env, k *EventClock, next func(T)) func(T) {
	return func(v T) {
		k.saw(e.Split, e.TimeNS)
		next(v)
	}
}

// ProcessingTime makes the engine's clock the event time.
func ProcessingTime[T any](e *Env, next func(T)) func(T) {
	return func(v T) {
		came := e.TimeNS
		e.TimeNS = e.Clock.NowNS
		next(v)
		e.TimeNS = came
	}
}
