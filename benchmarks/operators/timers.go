package main

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// A million keys have a timer each, of processing time, 10 µs after each other; each sets the next when it fires, behind all others. So a
// million are pending and 100,000 fire a second. Measured is how late.
const (
	timersPending   = 1_000_000
	timersPerSecond = 100_000
	timerStepNS     = int64(time.Second) / timersPerSecond
	timerPeriod     = timersPending / timersPerSecond * time.Second
	// timerLead is how much later than the start of the job the first timer is due: meanwhile all are set.
	timerLead = 1500 * time.Millisecond
	// lateFloorP99Max is the p99 of the floor above which a round says more about the machine. Timers of the Go runtime cannot go
	// below a millisecond on Linux, which is in both contestants.
	lateFloorP99Max = 5 * time.Millisecond
)

// lateness is a second job of a case, in an open loop.
type lateness struct {
	floor, millrace func(context.Context, *timerLoad) error
}

// timerLoad is a run of it.
type timerLoad struct {
	baseNS int64 // when timer 0 is due first
	stop   chan struct{}
	end    sync.Once

	fired  atomic.Int64
	window harness.Window
	late   *hdrhistogram.Histogram
}

// firstNS is when timer i is due first.
func (l *timerLoad) firstNS(i int64) int64 { return l.baseNS + i*timerStepNS }

// Stop ends the job.
func (l *timerLoad) Stop() { l.end.Do(func() { close(l.stop) }) }

// Write takes a batch of timers that arrived at nowNS.
func (l *timerLoad) Write(nowNS int64, n int, dueNS func(i int) int64) {
	if l.window.Holds(nowNS) {
		for i := range n {
			// The only error is a value above the histogram's 60 s.
			_ = l.late.RecordValue(nowNS - dueNS(i))
		}
	}
	l.fired.Add(int64(n))
}

// measureTimers runs a job around one measured window, which begins when all timers are set.
func measureTimers(ctx context.Context, o harness.Options, job func(context.Context, *timerLoad) error) (s harness.Sample, err error) {
	l := &timerLoad{stop: make(chan struct{}), late: harness.NewHistogram(), baseNS: harness.NowNS() + int64(timerLead)}
	s, err = harness.Run{
		Job:    func(ctx context.Context) error { return job(ctx, l) },
		Stop:   l.Stop,
		Filled: func() bool { return harness.NowNS() >= l.baseNS },
		Count:  l.fired.Load,
		Window: &l.window,
	}.Measure(ctx, o)
	s.RatePerSecond, s.Latency = timersPerSecond, l.late
	return s, err
}

// millraceTimers is the job: every number sets a timer.
func millraceTimers(ctx context.Context, l *timerLoad) error {
	job := millrace.NewJob("timers")
	job.From("numbers", timed.OneSplit[int64](&numbers{l: l})).
		KeyBy(func(i int64) int64 { return i }).
		Process("timers", func(s *millrace.Setup[int64, int64]) millrace.Handler[int64, int64, int64] {
			var again *millrace.Timer[int64, int64]
			again = s.Timer("again", func(c *millrace.Context[int64, int64], at time.Time) error {
				again.Set(at.Add(timerPeriod))
				c.Emit(at.UnixNano())
				return nil
			})
			return func(_ *millrace.Context[int64, int64], i int64) error {
				again.Set(time.Unix(0, l.firstNS(i)))
				return nil
			}
		}).
		To("end", timed.Batches(func(records []flow.Record[int64]) {
			l.Write(harness.NowNS(), len(records), func(i int) int64 { return records[i].Value })
		}))
	query, err := job.Start(ctx, millrace.Config{Parallelism: 1, Guarantee: millrace.AtMostOnce, RestartsMax: -1})
	if err != nil {
		return err
	}
	select {
	case <-l.stop:
	case <-query.Done():
	}
	return query.Stop(context.WithoutCancel(ctx))
}

// numbers are 0 to timersPending-1, as fast as they are taken, and then nothing until the end.
type numbers struct {
	l *timerLoad
	i int64
}

func (r *numbers) Read(ctx context.Context, b *sources.Batch[int64]) error {
	if r.i == timersPending {
		select {
		case <-r.l.stop:
			return io.EOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for ; r.i < timersPending && len(b.Records) < cap(b.Records); r.i++ {
		b.Records = append(b.Records, flow.Record[int64]{Value: r.i})
	}
	b.Next = binary.BigEndian.AppendUint64(b.Next[:0], uint64(r.i))
	return nil
}

func (*numbers) Close() error { return nil }

// floorTimers is the hand-written loop: a heap, and a sleep until its first is due.
func floorTimers(ctx context.Context, l *timerLoad) error {
	pending := make(timerHeap, 0, timersPending)
	for i := range int64(timersPending) {
		pending.push(timer{l.firstNS(i), i})
	}
	var due [256]int64
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	for {
		now, n := harness.NowNS(), 0
		for ; n < len(due) && pending[0].atNS <= now; n++ {
			t := pending[0]
			due[n] = t.atNS
			pending.replace(timer{t.atNS + int64(timerPeriod), t.id})
		}
		if n > 0 {
			l.Write(harness.NowNS(), n, func(i int) int64 { return due[i] })
			continue
		}
		sleep.Reset(time.Duration(pending[0].atNS - now))
		select {
		case <-sleep.C:
		case <-l.stop:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
