package actors

import (
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// heldParkNS is how soon a split that ran too far ahead is looked at again: other tasks' clocks ring no bell.
const heldParkNS = int64(5 * time.Millisecond)

// observe tells the task what time it is in split s behind a batch.
func (h *Head[T]) observe(s *split[T], b *sources.Batch[T], end bool) {
	s.atEnd = b.AtEnd
	m := flow.Mark{}
	if len(b.Records) > 0 {
		s.idle, s.heardNS = false, h.t.Env.Clock.NowNS
		if k := h.t.Env.Timekeeper(); k != nil {
			s.promise(k.SplitNS(s.slot))
		}
	}
	if b.HasWatermark {
		s.idle = false
		s.promise(b.WatermarkNS)
	}
	if s.hasWatermark {
		m.WatermarkNS, m.Has = s.watermarkNS, flow.HasWatermark
	}
	if s.idle { // a batch without records does not end that
		m = flow.Mark{Has: flow.HasIdle}
	}
	if end {
		m.Has |= flow.HasEnd
	}
	h.t.observe(s.slot, m, len(b.Records))
}

// promise moves the split's watermark.
func (s *split[T]) promise(ns int64) {
	if ns != flow.NoWatermarkNS && (!s.hasWatermark || ns > s.watermarkNS) {
		s.watermarkNS, s.hasWatermark, s.changed = ns, true, true
	}
}

// restoreTime tells the task what split s promised before a restart: time does not move back.
func (h *Head[T]) restoreTime(s *split[T]) {
	m := flow.Mark{}
	if s.hasWatermark {
		m.WatermarkNS, m.Has = s.watermarkNS, flow.HasWatermark
	}
	if s.finished {
		m.Has |= flow.HasEnd
	}
	h.t.observe(s.slot, m, 0)
}

// idleAt makes split s idle when it has been silent at its end for long enough, or says when it will have been.
func (h *Head[T]) idleAt(s *split[T], nowNS int64) int64 {
	k := h.t.Env.Timekeeper()
	if k == nil || s.finished || s.idle || !s.atEnd || k.IdleNS() == never || len(s.full) > 0 || s.next != nil {
		return never
	}
	if at := s.heardNS + k.IdleNS(); nowNS < at {
		return at
	}
	s.idle = true
	h.t.observe(s.slot, flow.Mark{Has: flow.HasIdle}, 0)
	return never
}

// held says whether split s has to wait for slower clocks of the job. Within a batch none does: the slower may have come to the
// end of its part.
func (h *Head[T]) held(s *split[T]) bool {
	k := h.t.Env.Timekeeper()
	return !h.batched && k != nil && s.hasWatermark && k.Held(s.watermarkNS)
}
