package runner

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/flow"
)

// latencyMaxUS is the longest latency told apart, an hour.
const latencyMaxUS = int64(time.Hour / time.Microsecond)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, latencyMaxUS, 2) }

// meter is what one task of a live sink measures. The task locks it once a batch, the view once a reading.
type meter struct {
	mu      sync.Mutex
	records int64
	untimed bool                    // records carry times that say nothing about how long they took
	latency *hdrhistogram.Histogram // microseconds from a record's time to here, since the last reading
}

// observe takes a batch and returns the time it read. The caller holds mu.
func observe[T any](m *meter, b *flow.Batch[T]) (nowNS int64) {
	nowNS = time.Now().UnixNano()
	m.records += int64(len(b.Records))
	if m.untimed {
		return nowNS
	}
	for i := range b.Records {
		us := (nowNS - b.Records[i].TimeNS) / int64(time.Microsecond)
		_ = m.latency.RecordValue(min(max(us, 1), latencyMaxUS)) // within its bounds it cannot fail
	}
	return nowNS
}

// drain adds the latencies since the last reading to into. The caller holds mu.
func (m *meter) drain(into *hdrhistogram.Histogram) {
	into.Merge(m.latency)
	m.latency.Reset()
}
