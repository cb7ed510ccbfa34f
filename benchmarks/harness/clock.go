package harness

import "time"

var (
	clockStart  = time.Now()
	clockBaseNS = clockStart.UnixNano()
)

// NowNS is the one clock of a benchmark: nanoseconds since the Unix epoch that only grow, because they advance with the
// monotonic clock. About 40 ns a call: read it once per batch.
func NowNS() int64 { return clockBaseNS + int64(time.Since(clockStart)) }
