package mailbox

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// Watermarks coalesces the watermarks of a task's inputs: the minimum over those that are neither idle nor ended,
// monotone. It is arithmetic only.
type Watermarks struct {
	in   []laneMark
	outN int64
	live int // inputs that have not ended
}

type laneMark struct {
	ns          int64
	idle, ended bool
}

// NewWatermarks starts with n inputs that have promised nothing, and nothing forwarded.
func NewWatermarks(n int) *Watermarks {
	w := &Watermarks{in: make([]laneMark, n), outN: flow.NoWatermarkNS, live: n}
	for i := range w.in {
		w.in[i].ns = flow.NoWatermarkNS
	}
	return w
}

// Current is the newest combined watermark.
func (w *Watermarks) Current() int64 { return w.outN }

// Restore sets the combined watermark of the snapshot; it never moves back from there.
func (w *Watermarks) Restore(ns int64) { w.outN = max(w.outN, ns) }

// Live is the number of inputs that have not ended.
func (w *Watermarks) Live() int { return w.live }

// Add adds an input that has promised nothing, and says which number it has: a split that was found while running. It holds the
// combined watermark where it is.
func (w *Watermarks) Add() int {
	w.in = append(w.in, laneMark{ns: flow.NoWatermarkNS})
	w.live++
	return len(w.in) - 1
}

// Final makes the combined watermark the final one, whatever the inputs promised: no record follows on any of them.
func (w *Watermarks) Final() (moved bool) {
	moved = w.outN < flow.FinalWatermarkNS
	w.outN = flow.FinalWatermarkNS
	return moved
}

// Idle says that no input holds the combined watermark back.
func (w *Watermarks) Idle() bool {
	for i := range w.in {
		if l := &w.in[i]; !l.idle && !l.ended {
			return false
		}
	}
	return true
}

// Observe takes input i's mark and the number of records before it. It says whether the combined watermark moved.
func (w *Watermarks) Observe(i int, m flow.Mark, records int) (moved bool) {
	l := &w.in[i]
	if records > 0 || m.Has&flow.HasWatermark != 0 {
		l.idle = false
	}
	if m.Has&flow.HasWatermark != 0 {
		l.ns = max(l.ns, m.WatermarkNS)
	}
	if m.Has&flow.HasIdle != 0 {
		l.idle = true
	}
	if m.Has&flow.HasEnd != 0 && !l.ended {
		l.ended = true
		w.live--
	}
	if m.Has == 0 {
		return false
	}
	return w.advance()
}

func (w *Watermarks) advance() bool {
	low, any := int64(flow.FinalWatermarkNS), false
	for i := range w.in {
		if l := &w.in[i]; !l.idle && !l.ended {
			low, any = min(low, l.ns), true
		}
	}
	if !any || planted.On("watermark-of-the-fastest-lane") {
		low = w.promised()
	}
	if low <= w.outN {
		return false
	}
	w.outN = low
	return true
}

// promised is the largest watermark of any input: with none left to hold it back, time stands there. The end of time is not among
// them while an input is only idle: it was promised for the inputs that have ended.
func (w *Watermarks) promised() int64 {
	high := int64(flow.NoWatermarkNS)
	for i := range w.in {
		if ns := w.in[i].ns; ns < flow.FinalWatermarkNS || w.live == 0 {
			high = max(high, ns)
		}
	}
	return high
}
