package main

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

const (
	// fillRecords come as fast as they are taken: then every window has its size, and the schedule begins.
	fillRecords = int64(size/1e9) * timed.PerSecond
	// turnRecordsMax bounds what a source that was late emits before it looks at the clock again.
	turnRecordsMax = 1024
	// ringEnds is how many window ends the generator remembers, a power of two: 27 minutes of them.
	ringEnds = 1 << 14
)

// generator makes the events of package timed: n of them in a closed loop, or a fill and then, until Stop, each at its time.
// One goroutine, the source's, calls Due, Next and Wait; the others may come from any.
type generator struct {
	n       int64 // of a closed loop
	fill    int64 // of an open loop: fillRecords, or fewer in a test
	stepNS  int64 // of its schedule: timed.StepNS, or more in a test
	pacer   *harness.Pacer
	seq     int64
	startNS int64 // intended time of the first event behind the fill
	emitted atomic.Int64
	stopped atomic.Bool

	newestNS int64 // event time
	endNS    int64 // the next end of a window that the watermark passes
	passed   [ringEnds]atomic.Int64
}

func newGenerator(n int64, open bool) (*generator, error) {
	g := &generator{n: n, fill: fillRecords, stepNS: timed.StepNS, endNS: timed.StartNS}
	if !open {
		return g, nil
	}
	var err error
	g.pacer, err = harness.StartPacer(harness.DefaultTick)
	return g, err
}

func (g *generator) OpenLoop() bool { return g.pacer != nil }

// Close ends the pacer. Call it when the source is done.
func (g *generator) Close() error {
	if g.pacer == nil {
		return nil
	}
	return g.pacer.Close()
}

// Stop ends an open loop; the source sees it at its next turn.
func (g *generator) Stop() { g.stopped.Store(true) }

// Done says that no event follows.
func (g *generator) Done() bool { return g.stopped.Load() || g.pacer == nil && g.seq == g.n }

// Wait blocks until the next tick; only in an open loop.
func (g *generator) Wait() error { return g.pacer.Wait() }

// Emitted is how many events the source has taken behind the fill, up to its last turn. It follows the schedule as long as the
// contestant takes what is due.
func (g *generator) Emitted() int64 { return g.emitted.Load() - g.fill }

// Due is how many events are to be emitted at nowNS: as many calls of Next may follow.
func (g *generator) Due(nowNS int64) int {
	g.emitted.Store(g.seq)
	switch {
	case g.Done():
		return 0
	case g.pacer == nil:
		return int(min(g.n-g.seq, batchRecords))
	case g.seq < g.fill:
		return int(min(g.fill-g.seq, batchRecords))
	case g.startNS == 0:
		g.startNS = nowNS
	}
	return int(max(0, min((nowNS-g.startNS)/g.stepNS+1-(g.seq-g.fill), turnRecordsMax)))
}

// Next is the next event. nowNS is the time of the turn, and the intended time of all that has no schedule.
func (g *generator) Next(nowNS int64) timed.Event {
	e := timed.Number(g.seq)
	if e.AtNS > g.newestNS {
		g.newestNS = e.AtNS
		if g.watermarkNS() >= g.endNS {
			g.pass(nowNS)
		}
	}
	g.seq++
	return e
}

// watermarkNS is what a contestant may take for its watermark behind the last event.
func (g *generator) watermarkNS() int64 { return g.newestNS - int64(timed.Disorder) }

// pass notes when the watermark passed the ends up to it: at the time at which the event in hand was due, whenever it came.
func (g *generator) pass(nowNS int64) {
	if g.startNS > 0 {
		nowNS = g.startNS + (g.seq-g.fill)*g.stepNS
	}
	for ; g.endNS <= g.watermarkNS(); g.endNS += int64(slide) {
		g.passed[g.endNS/int64(slide)%ringEnds].Store(nowNS)
	}
}

// PassedNS is when the watermark passed the end of a window.
func (g *generator) PassedNS(endNS int64) int64 { return g.passed[endNS/int64(slide)%ringEnds].Load() }

// ticked is the reader of a Millrace job in an open loop: it reads what is due and sleeps from tick to tick.
type ticked struct{ *generator }

func (r ticked) Read(ctx context.Context, b *sources.Batch[timed.Event]) error {
	for {
		if r.fill(b); len(b.Records) > 0 {
			return nil
		}
		if r.Done() {
			return io.EOF
		}
		if err := r.Wait(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// fill adds what is due and where to go on.
func (r ticked) fill(b *sources.Batch[timed.Event]) {
	now := harness.NowNS()
	for range min(r.Due(now), cap(b.Records)-len(b.Records)) {
		b.Records = append(b.Records, flow.Record[timed.Event]{Value: r.Next(now)})
	}
	b.Next = binary.BigEndian.AppendUint64(b.Next[:0], uint64(r.seq))
}

// Close does nothing: the window closes the generator.
func (ticked) Close() error { return nil }

// polled is the reader of a closed loop, on the task's loop: it always has more.
type polled struct{ ticked }

func (r polled) Poll(_ int64, b *sources.Batch[timed.Event]) (wakeAtNS int64, err error) {
	if r.fill(b); r.Done() {
		return 0, io.EOF
	}
	return 0, nil
}
