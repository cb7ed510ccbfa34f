package workload

import (
	"sync/atomic"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
)

// Generator makes the records of a load. It begins with the fill, in which every key comes once and as fast as it goes:
// tables reach their size before the schedule begins. One goroutine, the source's, calls Due, Next, Fill and Wait; Stop
// may come from any.
//
//	for !g.Done() {
//		now := harness.NowNS()
//		for range g.Due(now) {
//			timeNS, event := g.Next(now)
//		}
//		// in an open loop, when nothing was due: flush, then
//		err := g.Wait()
//	}
type Generator struct {
	load  Load
	pacer *harness.Pacer

	fill     int64 // records of the fill that are still to come
	rng      uint64
	seq      int64 // records behind the fill
	startNS  int64 // intended time of the first record behind the fill
	periodNS float64
	base     uint64 // MovingSet: the set's first key
	set      uint64

	stopped atomic.Bool
}

// OpenLoop says whether the load has a schedule.
func (g *Generator) OpenLoop() bool { return g.periodNS > 0 }

// Done says that no record follows.
func (g *Generator) Done() bool {
	return g.fill == 0 && (g.stopped.Load() || g.load.Records > 0 && g.seq == g.load.Records)
}

// Stop ends the load behind the fill; the source sees it at its next turn.
func (g *Generator) Stop() { g.stopped.Store(true) }

// Close ends the pacer. Call it when the source is done.
func (g *Generator) Close() error {
	if g.pacer == nil {
		return nil
	}
	return g.pacer.Close()
}

// Wait blocks until the next tick; only in an open loop.
func (g *Generator) Wait() error { return g.pacer.Wait() }

// Due is how many records are to be emitted at nowNS: as many calls of Next may follow. It is 0 when done or, in an open
// loop, when the next record's time has not come.
func (g *Generator) Due(nowNS int64) int {
	if g.fill > 0 {
		return int(min(g.fill, BatchRecords))
	}
	if g.startNS == 0 {
		g.startNS = nowNS
	}
	if g.Done() {
		return 0
	}
	n := int64(BatchRecords)
	if g.OpenLoop() {
		n = min(int64(float64(nowNS-g.startNS)/g.periodNS)+1-g.seq, turnRecordsMax)
	}
	if g.load.Records > 0 {
		n = min(n, g.load.Records-g.seq)
	}
	if g.load.Draw == MovingSet {
		sets := uint64(nowNS-g.startNS) / uint64(g.load.SetEvery)
		g.base = sets * g.set % uint64(len(g.load.Keys))
	}
	return int(max(n, 0))
}

// Next is the next record: its intended time and its value. nowNS is the time of the turn, and the intended time of all
// that has no schedule.
func (g *Generator) Next(nowNS int64) (timeNS int64, e Event) {
	if g.fill > 0 {
		return g.nextFill(nowNS)
	}
	timeNS = nowNS
	if g.periodNS > 0 {
		timeNS = g.startNS + int64(float64(g.seq)*g.periodNS)
	}
	i := g.draw()
	g.seq++
	return timeNS, Event{g.load.Keys[i], nowNS, int64(i)}
}

func (g *Generator) nextFill(nowNS int64) (int64, Event) {
	i := len(g.load.Keys) - int(g.fill)
	g.fill--
	return nowNS, Event{g.load.Keys[i], nowNS, int64(i)}
}

// draw chooses a key by xorshift and a multiplication instead of a division.
func (g *Generator) draw() uint64 {
	n := uint64(len(g.load.Keys))
	if g.load.Draw == RoundRobin {
		return uint64(g.seq) % n
	}
	x := g.rng
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	g.rng = x
	if g.load.Draw == Uniform {
		return x >> 32 * n >> 32
	}
	i := g.base + x>>32*g.set>>32
	if i >= n {
		i -= n
	}
	return i
}

// Fill is Due and Next for sources that fill batches: it appends what is due to dst, up to its capacity.
func (g *Generator) Fill(nowNS int64, dst []flow.Record[Event]) []flow.Record[Event] {
	for range min(g.Due(nowNS), cap(dst)-len(dst)) {
		timeNS, e := g.Next(nowNS)
		dst = append(dst, flow.Record[Event]{TimeNS: timeNS, Value: e})
	}
	return dst
}
