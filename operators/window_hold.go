package operators

import "github.com/millrace-io/millrace/flow"

// A window with a grace emits panes behind the watermark that closed them: each once when the grace is over, or each late change. A
// window that reads them must not take them for late, so the watermark goes on only as far as the oldest pane that may still come out.
// A complete result, in which nothing is late, holds nothing back beyond that: its panes change for ever.

// HoldNS implements Holding: before the last moment of the first pane that takes records.
func (x *aligned[K, T, A, V]) HoldNS(ns int64) int64 {
	if ns == flow.NoWatermarkNS || ns == flow.FinalWatermarkNS {
		return ns
	}
	_, endNS := x.grid.pane(x.grid.open(Minus(ns, x.config.Grace)))
	return min(ns, endNS-1)
}

// HoldNS implements Holding. Sessions end at any time: a record of a new key may make one that ends as early as the grace allows.
func (x *sessions[K, T, A, V]) HoldNS(ns int64) int64 {
	if ns == flow.NoWatermarkNS || ns == flow.FinalWatermarkNS {
		return ns
	}
	return Minus(ns, x.config.Grace)
}
