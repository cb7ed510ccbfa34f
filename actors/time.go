package actors

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// WatermarkState is the name under which the watermark of an operator that waits for it stands in a checkpoint. Without it, a
// restored task would take for new what it has closed already.
const WatermarkState = "watermark"

// observe takes the mark of an input, a lane or a split, behind n records, and moves the task's watermark if that moves it.
func (t *Task) observe(input int, m flow.Mark, n int) {
	t.marks.Observe(input, m, n)
	t.tellTime()
}

// tellTime makes what the inputs promise the task's own time: seen by operators at once, forwarded behind what it made due.
func (t *Task) tellTime() {
	ns, idle := t.marks.Current(), t.marks.Idle() && !t.exhausted && (t.source != nil || t.marks.Live() > 0)
	k := t.Env.Timekeeper()
	if k != nil && ns != flow.FinalWatermarkNS {
		switch {
		case k.TickNS() > 0:
			ns, idle, t.tickedNS = t.Env.Clock.NowNS, false, t.Env.Clock.NowNS
		case t.source == nil: // what came over the lanes was another clock's
			ns = k.SplitNS(0)
		}
	}
	if ns > t.Env.Clock.WatermarkNS {
		t.Env.Clock.WatermarkNS = ns
		t.wmPending = true
	}
	if idle != t.idle {
		t.idle, t.wmPending = idle, true
	}
	if k == nil {
		return
	}
	if t.idle || t.exhausted {
		ns = math.MaxInt64
	}
	k.Publish(ns)
}

// tick moves a watermark that follows the engine's clock, and says when to do so again.
func (t *Task) tick() (wakeAtNS int64) {
	k := t.Env.Timekeeper()
	if k == nil || k.TickNS() == 0 || t.exhausted {
		return never
	}
	if t.Env.Clock.NowNS-t.tickedNS >= k.TickNS() {
		t.tellTime()
	}
	return t.tickedNS + k.TickNS()
}

// endOfTime makes the final watermark the task's own: no record follows.
func (t *Task) endOfTime() {
	t.marks.Final()
	t.tellTime()
}

// forwardWatermark hands on what the timers of this task have had their turn with.
func (t *Task) forwardWatermark() {
	t.wmPending = false
	ns := max(t.Env.HeldNS(), t.Env.ForwardedNS)
	t.Env.ForwardedNS = ns
	for _, o := range t.outs {
		o.Watermark(ns)
		o.Idle(t.idle)
	}
}

// fireEvent does what the watermark made due, a bounded piece, operators in the order of the chain: what one emits may make
// another due. It says whether more is due.
func (t *Task) fireEvent() (more bool) {
	if len(t.Env.EventTimed()) == 0 {
		return false
	}
	for _, op := range t.Env.EventTimed() {
		if more = op.FireEvent(timersPerTurn); more {
			break
		}
	}
	t.retry()
	return more
}

// watermarkBlock is the delta of the task's watermark: one entry per task, by its index, also of one that has none yet: after a cut ahead of
// barriers others may have one, and the earliest counts.
func (t *Task) watermarkBlock() (delta.Block, bool) {
	if len(t.Env.EventTimed()) == 0 || t.watermarkCut && t.cutWatermarkNS == t.Env.Clock.WatermarkNS && t.stale == nil {
		return delta.Block{}, false
	}
	t.watermarkCut, t.cutWatermarkNS = true, t.Env.Clock.WatermarkNS
	b := delta.Block{Operator: t.Chain, State: WatermarkState, Count: 1 + len(t.stale)}
	b.Data = delta.AppendPut(nil, taskKey(t.Index), binary.BigEndian.AppendUint64(nil, uint64(t.cutWatermarkNS)))
	for _, index := range t.stale {
		b.Data = delta.AppendDelete(b.Data, taskKey(index))
	}
	t.stale = nil
	return b, true
}

func taskKey(index int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(index)) }

// decodeWatermarks reads a block of watermarks; later entries win.
func decodeWatermarks(b delta.Block, into map[int]int64) error {
	for data := b.Data; len(data) > 0; {
		key, value, deleted, rest, err := delta.Next(data)
		if err == nil && (len(key) != 4 || !deleted && len(value) != 8) {
			err = delta.ErrDamaged
		}
		if err != nil {
			return fmt.Errorf("watermarks of operator %q: %w", b.Operator, err)
		}
		data = rest
		index := int(binary.BigEndian.Uint32(key))
		if deleted {
			delete(into, index)
			continue
		}
		into[index] = int64(binary.BigEndian.Uint64(value))
	}
	return nil
}

// restoreWatermarks gives each task of an operator its watermark of the snapshot, or with another number of tasks the earliest of all tasks
// there were. The first task forgets those of tasks that are no more.
func restoreWatermarks(tasks []*Task, of map[int]int64) {
	if len(of) == 0 {
		return
	}
	low := int64(flow.FinalWatermarkNS)
	for index, ns := range of {
		low = min(low, ns)
		if index >= len(tasks) {
			tasks[0].stale = append(tasks[0].stale, index)
		}
	}
	same := len(of) == len(tasks) && len(tasks[0].stale) == 0
	for i, t := range tasks {
		ns := low
		if same {
			ns = of[i]
		}
		t.marks.Restore(ns)
		t.Env.Clock.WatermarkNS, t.cutWatermarkNS = ns, ns
		t.wmPending = true
	}
}
