package actors

import (
	"errors"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/flow"
)

var errUnknownLane = errors.New("a batch came from a lane this task does not have")

// barrier takes the barrier of e on a lane: mask it, or cut when it was the last.
func (t *Task) barrier(lane int, e flow.Epoch) {
	a := t.aligner.Barrier(lane, e)
	if a.Violation != nil {
		panic(failure{fmt.Errorf("align epoch %d: %w", e, a.Violation)})
	}
	if a.Mask {
		t.inputs[lane].SetMasked(true)
	}
	if a.Snapshot != 0 {
		t.cut(a.Snapshot)
	}
}

// cut freezes the task's state, which costs no time whatever its size, forwards the barrier and goes on. The frozen
// entries are encoded a few per turn; when that and the sinks' flush are done, the job gets the task's part.
//
// Under at-most-once there is nothing to snapshot: the barrier only drains the lanes and makes the sinks flush.
func (t *Task) cut(e flow.Epoch) {
	t.encode(math.MaxInt) // an older cut that the job abandoned may be unfinished: its part goes first
	c := cut{epoch: e, sinks: len(t.sinks), encoded: !t.durable}
	if t.durable {
		t.Env.Store.Freeze()
		if t.source != nil {
			c.blocks = t.source.positions()
		}
	}
	t.cuts = append(t.cuts, c)
	for _, o := range t.outs {
		o.Barrier(e)
	}
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
	if t.Env.Store.Step(n) {
		t.acknowledge()
	}
	return true
}

// encodedAll says that no cut is being encoded. Only the newest can be: a cut finishes the one before.
func (t *Task) encodedAll() bool { return len(t.cuts) == 0 || t.cuts[len(t.cuts)-1].encoded }

// flushed: one of the sinks has made everything up to e safe.
func (t *Task) flushed(e flow.Epoch) {
	for i := range t.cuts {
		if t.cuts[i].epoch == e {
			t.cuts[i].sinks--
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
	for len(t.cuts) > 0 && t.cuts[0].encoded && t.cuts[0].sinks == 0 {
		c := t.cuts[0]
		t.cuts = append(t.cuts[:0], t.cuts[1:]...)
		t.report(acked{t.number, c.epoch, c.blocks})
	}
}
