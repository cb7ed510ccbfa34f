package actors

import (
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/mailbox"
)

// Bounds of a turn, so that control is never far away.
const (
	timersPerTurn    = 256  // timers fired
	startsPerTurn    = 256  // rows of initial state applied
	triggeredPerTurn = 256  // records emitted at the end of a batch
	finalsPerTurn    = 256  // records emitted at the end of input
	encodePerTurn    = 64   // frozen entries encoded beside a batch, or twice its records: faster than they dirty the state
	encodePerPark    = 256  // frozen entries encoded before a park
	encodeQuiet      = 4096 // frozen entries encoded after a park that no bell ended
	cleanPerTurn     = 256  // expired entries removed a turn, or twice the records that it took, if that is more
	encodeParkNSec   = int64(time.Millisecond)
	publishEveryNS   = int64(100 * time.Millisecond)
)

// Step does one turn at nowNS: what was refused, due timers, one batch or a piece of the end of input, a piece of the snapshot
// and of the expired state; each of it is bounded, so that none keeps the others waiting. When there was no input it flushes. It
// never blocks, starts no goroutine, reads no clock and draws no random number. It says whether to go on at once and, if
// not, when it wants to be called although nothing arrived.
func (t *Task) Step(nowNS int64) (worked bool, wakeAtNS int64) {
	quiet := nowNS-t.Env.Clock.NowNS >= encodeParkNSec
	t.Env.Clock.NowNS = max(nowNS, t.Env.Clock.NowNS)
	if nowNS >= t.publishNS {
		t.publish()
	}
	if t.channel.wanted.epoch != 0 {
		t.cutAhead()
	}
	stashed := t.stash()
	if t.retry(); t.blocked {
		t.Stats.BlockedTurns.Add(1)
		return t.encode(encodePerTurn) || stashed, never
	}
	if t.begin() {
		t.encode(encodePerTurn)
		return true, 0
	}
	if len(t.barriers) > 0 {
		if !t.endBatch() { // it waits for answers, which are posted
			return false, t.rest(quiet)
		}
		t.encode(encodePerTurn)
		return true, 0
	}
	tickAtNS := t.tick()
	more := t.fire()
	if t.blocked { // by what timers emitted
		return true, 0
	}
	due := t.fireEvent()
	if t.blocked || due {
		t.encode(encodePerTurn)
		return true, 0
	}
	if t.wmPending || t.Env.Open() != t.open {
		t.forwardWatermark()
		t.open = t.Env.Open()
	}
	t.records = 0
	worked, wakeAtNS = t.input()
	worked = worked || stashed || t.wmPending // time moves without a record when a split becomes idle
	if !worked && !more && t.exhausted && !t.endSent && t.Env.Open() == 0 {
		worked = t.end()
	}
	if worked || more {
		t.encode(max(encodePerTurn, 2*t.records))
		t.Env.Store.CleanDue(max(cleanPerTurn, 2*t.records))
		return true, 0
	}
	return false, min(wakeAtNS, tickAtNS, t.rest(quiet))
}

// retry sends what was refused; while something still is, the task takes no input.
func (t *Task) retry() {
	t.blocked = false
	for _, o := range t.outs {
		if o.Blocked() && !o.Retry() {
			t.blocked = true
		}
	}
}

// fire runs due processing-time timers, a bounded number of each operator, in the order of the operators of the chain. It says
// whether more may be due; a turn has something for the input all the same.
func (t *Task) fire() (more bool) {
	fired := false
	for _, op := range t.Env.Timed() {
		n := op.Fire(timersPerTurn)
		fired, more = fired || n > 0, more || n == timersPerTurn
	}
	if fired {
		t.retry()
	}
	return more
}

// begin does a piece of what operators have to do before the first input, and says whether that was so.
func (t *Task) begin() (worked bool) {
	for t.starters < len(t.Env.Starters()) {
		worked = true
		if t.Env.Starters()[t.starters].Start(startsPerTurn) {
			break
		}
		t.starters++
	}
	return worked
}

// input processes one batch: of the source, or of the next lane that has one.
func (t *Task) input() (worked bool, wakeAtNS int64) {
	if t.emitting || t.Env.Full() {
		return false, never
	}
	if in := t.replay(); in != nil {
		t.deliver(in)
		return true, 0
	}
	if t.source != nil {
		return t.source.step(t.Env.Clock.NowNS)
	}
	for range t.inputs {
		in := t.inputs[t.next]
		if t.next++; t.next == len(t.inputs) {
			t.next = 0
		}
		if in.Take() {
			t.deliver(in)
			return true, 0
		}
	}
	return false, never
}

// took processes the batch that in holds, then its mark.
func (t *Task) took(in mailbox.Input) {
	m, n := in.Deliver()
	t.records = n
	if n > 0 {
		t.Stats.RecordsIn.Add(int64(n))
		t.reopen()
	}
	if m.Has == 0 {
		return
	}
	lane := t.laneOf(in)
	t.observe(lane, m, n)
	if m.Has&flow.HasBarrier != 0 && (!t.exhausted || !planted.On("barrier-behind-the-end-lost")) {
		t.barrier(lane, m)
	}
	if m.Has&flow.HasEnd != 0 && t.marks.Live() == 0 {
		t.exhausted = true
	}
}

// laneOf is the input's number. Marks are rare and lanes few: a search beats a field each input would have to carry.
func (t *Task) laneOf(in mailbox.Input) int {
	for i := range t.inputs {
		if t.inputs[i] == in {
			return i
		}
	}
	panic(failure{errUnknownLane})
}

// end emits what operators kept for the end of input, then the end itself, then tells the job.
func (t *Task) end() (worked bool) {
	finals := t.Env.Finals()
	if t.emitting = t.finals < len(finals); t.emitting {
		if !finals[t.finals].Resume(finalsPerTurn) {
			t.finals++
		}
		return true
	}
	t.endSent = true
	t.count()
	for _, o := range t.outs {
		o.End()
	}
	t.report(ended{t.number})
	return true
}

// rest is what a task does when there is nothing to do: flush, a piece of a running snapshot, expired state. It says when
// to be called again. It must not loop: a task that holds the processor starves the scheduler's poll of the network.
func (t *Task) rest(quiet bool) (wakeAtNS int64) {
	for _, o := range t.outs {
		o.Flush()
		t.blocked = t.blocked || o.Blocked()
	}
	if !t.encodedAll() {
		n := encodePerPark
		if quiet {
			n = encodeQuiet
		}
		if t.encode(n); !t.encodedAll() {
			return t.Env.Clock.NowNS + encodeParkNSec
		}
	}
	wakeAtNS = t.clean()
	for _, op := range t.Env.Timed() {
		wakeAtNS = min(wakeAtNS, op.NextNS())
	}
	return wakeAtNS
}

// clean removes expired state of a task that has nothing else to do, and says when to look again: at once when there is
// more, else when the next entry expires, at the pace of publish. A task without a time to live is not woken.
func (t *Task) clean() (wakeAtNS int64) {
	removed := t.Env.Store.CleanDue(cleanPerTurn)
	if removed > 0 {
		t.count()
	}
	if removed == cleanPerTurn {
		return t.Env.Clock.NowNS + encodeParkNSec
	}
	next := t.Env.Store.NextExpiryNS()
	if next == never {
		return never
	}
	return max(next, t.Env.Clock.NowNS+publishEveryNS)
}

// publish is what is done now and then: count, and clean state on disk, which does not know what has expired.
func (t *Task) publish() {
	t.publishNS = t.Env.Clock.NowNS + publishEveryNS
	t.Env.Store.Clean(cleanPerTurn)
	t.count()
}

// count copies the loop's own counts to where others may read them.
func (t *Task) count() {
	t.Stats.Filtered.Store(t.Env.Filtered)
	t.Stats.Late.Store(t.Env.Late)
	t.Stats.StateEntries.Store(int64(t.Env.Store.Entries()))
	t.Stats.StateBytes.Store(t.Env.Store.Bytes())
}
