package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// meter is the sink of the job, and its one writer. It expects each key's counts in order, without a gap and without a repeat.
type meter struct {
	mu      sync.Mutex
	rows    int64
	latency *hdrhistogram.Histogram // of the rows since begin, from the time at which the record was due
	counts  map[string]int64        // newest of each key; the writer's alone
}

func newMeter() *meter { return &meter{latency: harness.NewHistogram(), counts: map[string]int64{}} }

func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latency.Reset()
}

func (m *meter) tell(r *reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Rows = m.rows
	r.P50NS, r.P99NS, r.P999NS = m.latency.ValueAtQuantile(50), m.latency.ValueAtQuantile(99), m.latency.ValueAtQuantile(99.9)
}

// Open implements sinks.Sink.
func (m *meter) Open(_ context.Context, at sinks.Instance) (sinks.Writer[row], error) {
	if at.Tasks != 1 {
		return nil, fmt.Errorf("operator %q: %d tasks, want 1: a meter has one writer", at.Operator, at.Tasks)
	}
	return m, nil
}

// Write implements sinks.Writer.
func (m *meter) Write(_ context.Context, b *flow.Batch[row]) error {
	nowNS := time.Now().UnixNano() // times of records are by the same clock, in all processes
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		if want := m.counts[r.Value.Key] + 1; r.Value.Count != want {
			return fmt.Errorf("count %d of key %q where %d is next: lost, repeated or out of order", r.Value.Count, r.Value.Key, want)
		}
		m.counts[r.Value.Key] = r.Value.Count
		// The only error is a value above the histogram's 60 s, longer than any window.
		_ = m.latency.RecordValue(max(nowNS-r.TimeNS, 1))
	}
	m.rows += int64(len(b.Records))
	return nil
}

// Flush implements sinks.Writer.
func (m *meter) Flush(context.Context) error { return nil }

// Close implements sinks.Writer.
func (m *meter) Close() error { return nil }

// Inline implements sinks.Inline: a histogram never blocks.
func (m *meter) Inline() {}
