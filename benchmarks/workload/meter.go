package workload

import (
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/cespare/xxhash/v2"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
)

// Meter is the end of a contestant. One goroutine, the sink's, calls Write; Seen may come from any. The
// histograms are safe to read when the sink has ended.
type Meter struct {
	latency, hop *hdrhistogram.Histogram
	window       harness.Window // of what arrives meanwhile
	seen         atomic.Int64
	last         map[string]int64 // newest count per key; nil unless the output is compared
	openLoop     bool
}

func newMeter(l Load) *Meter {
	return &Meter{latency: harness.NewHistogram(), hop: harness.NewHistogram(), openLoop: l.RatePerSecond > 0}
}

// Seen is how many records have arrived, those of the fill included.
func (m *Meter) Seen() int64 { return m.seen.Load() }

// Write takes the records of a batch that arrived at nowNS. In a closed loop, where times say how full the lanes are and
// nothing else, one histogram entry is made per record, in an open loop a second one for the hop.
func (m *Meter) Write(nowNS int64, records []flow.Record[Result]) {
	if m.window.Holds(nowNS) {
		m.record(nowNS, records)
	}
	if m.last != nil {
		for i := range records {
			m.last[records[i].Value.Key] = records[i].Value.Count
		}
	}
	m.seen.Add(int64(len(records)))
}

func (m *Meter) record(nowNS int64, records []flow.Record[Result]) {
	for i := range records {
		// The only error is a value above the histogram's 60 s, longer than any window.
		_ = m.latency.RecordValue(nowNS - records[i].TimeNS)
	}
	if !m.openLoop {
		return
	}
	for i := range records {
		_ = m.hop.RecordValue(nowNS - records[i].Value.EmitNS)
	}
}

// hash condenses the final count of every key, in whatever order the keys came.
func (m *Meter) hash() uint64 { return HashCounts(m.last) }

// HashCounts adds up a hash of each key with its count.
func HashCounts(counts map[string]int64) (sum uint64) {
	for key, n := range counts {
		x := xxhash.Sum64String(key) ^ uint64(n)*0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		sum += x ^ x>>31
	}
	return sum
}
