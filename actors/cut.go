package actors

import (
	"errors"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

var errUnknownLane = errors.New("a batch came from a lane this task does not have")

// barrier takes a barrier on a lane: mask it, or cut when it was the last.
func (t *Task) barrier(lane int, m flow.Mark) {
	a := t.aligner.Barrier(lane, m.Epoch)
	if a.Violation != nil {
		panic(failure{fmt.Errorf("align epoch %d: %w", m.Epoch, a.Violation)})
	}
	if a.Mask {
		t.inputs[lane].SetMasked(true)
		t.aligning()
	}
	if a.Snapshot != 0 {
		t.arrived(flow.BarrierOf(m.Epoch, m.Ends())) // the rest of the mark is the lane's own
	}
}

// arrived takes a barrier that has arrived on all inputs: cut at once, or when the batch that it ends has been ended, in the next
// turns. A barrier behind one that waits for that waits too; only a source can meet one.
func (t *Task) arrived(m flow.Mark) {
	if len(t.barriers) == 0 && m.Ends() == flow.NoBatch && (t.durable || t.Env.Open() == 0) {
		t.cut(m)
		return
	}
	t.barriers = append(t.barriers, m)
}

// endBatch does a piece of what belongs before the first waiting barrier, then cuts: the answers that are awaited, when the batch
// must be whole or nothing is recorded; what the watermark before the barrier has made due, what the end of input brings, and what
// operators emit at the end of a batch. No input is taken meanwhile. It says whether there was anything it could do.
func (t *Task) endBatch() (worked bool) {
	m := t.barriers[0]
	if t.Env.Open() > 0 && (!t.durable || t.Env.WholeBatches) {
		return false
	}
	if m.Ends() != flow.NoBatch && t.endingBatch() {
		return true
	}
	t.triggered = 0
	t.barriers = append(t.barriers[:0], t.barriers[1:]...)
	t.cut(m)
	return true
}

// endingBatch does a piece of what ends a batch and says whether there is more to do.
func (t *Task) endingBatch() (more bool) {
	if t.fireEvent() || t.blocked {
		return true
	}
	if t.wmPending {
		t.forwardWatermark()
	}
	if t.exhausted && !t.endSent && t.Env.Open() == 0 {
		t.end()
		t.retry()
		return true
	}
	if ops := t.Env.Triggered(); t.triggered < len(ops) {
		if !ops[len(ops)-1-t.triggered].Resume(triggeredPerTurn) {
			t.triggered++
		}
		t.retry()
		return true
	}
	return false
}

// cut freezes the task's state, which costs no time whatever its size, forwards the barrier and goes on. The frozen
// entries are encoded a few per turn; when that and the sinks' flush are done, the job gets the task's part.
//
// Under at-most-once there is nothing to snapshot: the barrier only drains the lanes and makes the sinks flush.
func (t *Task) cut(m flow.Mark) {
	e := m.Epoch
	t.encode(math.MaxInt) // an older cut that the job abandoned may be unfinished: its part goes first
	if t.onCut != nil {
		t.onCut(e)
	}
	c := cut{epoch: e, sinks: len(t.sinks), encoded: !t.durable, recording: t.channel.epoch == e, alignNS: t.aligned()}
	if planted.On("answer-before-flush") {
		c.sinks = 0
	}
	published := t.removedBlocks()
	if t.durable {
		t.Env.Store.Freeze()
		if t.source != nil {
			c.blocks = t.source.positions()
		}
		if b, moved := t.watermarkBlock(); moved {
			c.blocks = append(c.blocks, b)
		}
		c.blocks = append(c.blocks, t.emittedBlocks()...)
		c.blocks = append(c.blocks, t.waitingBlocks()...)
		c.blocks = append(c.blocks, published...)
		c.blocks = append(c.blocks, t.channelRemovals()...)
	}
	t.cuts = append(t.cuts, c)
	fault.Point("epoch/frozen")
	for _, o := range t.outs {
		o.Barrier(m)
	}
	fault.Point("epoch/barrier-forwarded")
	for _, in := range t.inputs {
		in.SetMasked(false)
	}
	t.encode(encodePerTurn) // a small or empty one is done with that
	t.acknowledge()
}

// encode encodes at most n frozen entries and says whether it had any to encode.
func (t *Task) encode(n int) (worked bool) {
	if t.encodedAll() {
		return false
	}
	if t.pace > 0 && n < math.MaxInt {
		n = min(n, t.pace)
	}
	if t.Env.Store.Step(n) {
		t.acknowledge()
	}
	return true
}

// encodedAll says that no cut is being encoded. Only the newest can be: a cut finishes the one before.
func (t *Task) encodedAll() bool { return len(t.cuts) == 0 || t.cuts[len(t.cuts)-1].encoded }

// flushed: one of the sinks has made everything up to a cut safe.
func (t *Task) flushed(m sinkFlushed) {
	for i := range t.cuts {
		c := &t.cuts[i]
		if c.epoch != m.epoch {
			continue
		}
		c.sinks--
		if m.token == nil {
			continue
		}
		if b := m.of.prepare(m.epoch, keyOf(t.Attempt, m.epoch, t.Index), m.token); t.durable && !planted.On("token-not-in-the-epoch") {
			c.blocks = append(c.blocks, b)
		}
	}
	t.acknowledge()
}

// acknowledge hands the job the parts that are complete, in order.
func (t *Task) acknowledge() {
	if len(t.cuts) == 0 {
		return
	}
	if c := &t.cuts[len(t.cuts)-1]; !c.encoded && !t.Env.Store.Active() {
		c.blocks = append(c.blocks, t.Env.Store.Take()...)
		c.encoded = true
	}
	for len(t.cuts) > 0 && (t.cuts[0].encoded || planted.On("answer-before-encoded")) && t.cuts[0].sinks == 0 && !t.cuts[0].recording {
		c := t.cuts[0]
		t.cuts = append(t.cuts[:0], t.cuts[1:]...)
		t.report(acked{t.number, c.epoch, c.blocks, c.alignNS})
	}
}
