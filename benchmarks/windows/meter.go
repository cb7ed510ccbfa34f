package main

import (
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// meter is the end of a contestant. One goroutine, the sink's, calls Pane; Begin and End may come from any.
type meter struct {
	generator    *generator
	latency      *hdrhistogram.Histogram // of an open loop
	fromNS, toNS atomic.Int64
	rows         timed.End // of a closed loop
}

const never = 1<<63 - 1

func newMeter(g *generator) *meter {
	m := &meter{generator: g, latency: harness.NewHistogram()}
	m.fromNS.Store(never)
	m.toNS.Store(never)
	return m
}

// Begin opens the measured window for panes whose end the watermark passes from now on.
func (m *meter) Begin() { m.fromNS.Store(harness.NowNS()) }

// End closes it.
func (m *meter) End() { m.toNS.Store(harness.NowNS()) }

// Pane takes a pane that arrived at nowNS. In a closed loop it is hashed, in an open loop its latency counts, from the time at which
// the watermark was to pass its end.
func (m *meter) Pane(nowNS int64, key string, startNS, sum int64) {
	if !m.generator.OpenLoop() {
		m.rows.Row(timed.KeyHash(key), startNS, sum)
		return
	}
	passedNS := m.generator.PassedNS(startNS + int64(size))
	if passedNS >= m.fromNS.Load() && passedNS < m.toNS.Load() {
		// The only error is a value above the histogram's 60 s, longer than any delay that matters.
		_ = m.latency.RecordValue(nowNS - passedNS)
	}
}
