package main

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// meter is the end of a contestant. One goroutine, the sink's, calls Pane.
type meter struct {
	generator *generator
	latency   *hdrhistogram.Histogram // of an open loop
	window    harness.Window          // of the panes whose end the watermark passes meanwhile
	rows      timed.End               // of a closed loop
}

func newMeter(g *generator) *meter { return &meter{generator: g, latency: harness.NewHistogram()} }

// Pane takes a pane that arrived at nowNS. In a closed loop it is hashed, in an open loop its latency counts, from the time at which
// the watermark was to pass its end.
func (m *meter) Pane(nowNS int64, key string, startNS, sum int64) {
	if !m.generator.OpenLoop() {
		m.rows.Row(timed.KeyHash(key), startNS, sum)
		return
	}
	passedNS := m.generator.PassedNS(startNS + int64(size))
	if m.window.Holds(passedNS) {
		// The only error is a value above the histogram's 60 s, longer than any delay that matters.
		_ = m.latency.RecordValue(nowNS - passedNS)
	}
}
