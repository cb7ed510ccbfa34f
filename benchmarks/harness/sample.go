package harness

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// SustainedMin is the share of the schedule that an open-loop run must reach to count as sustained.
const SustainedMin = 0.995

// Sample is what one contestant did in one measured window.
type Sample struct {
	Records       int64   // records that reached the end of the contestant
	ElapsedNS     int64   // wall time
	CPUNS         int64   // user and system time of this whole process, children not included
	Mallocs       uint64  // heap objects allocated by this process
	ForeignCores  float64 // cores used by other processes of the machine (the pacer and a broker included); NaN when unknown
	RatePerSecond float64 // the schedule of an open-loop run; 0 in a closed loop

	Latency *hdrhistogram.Histogram // nanoseconds from the intended time; nil in a closed loop
	Hop     *hdrhistogram.Histogram // nanoseconds from the emission by the source; nil when not measured
}

// NewHistogram holds latencies from 1 ns to 60 s with three significant figures.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60e9, 3) }

// PerSecond is the throughput in records per second.
func (s Sample) PerSecond() float64 { return ratio(float64(s.Records), float64(s.ElapsedNS)/1e9) }

// PerCoreSecond is the number of records per second of processor time.
func (s Sample) PerCoreSecond() float64 { return ratio(float64(s.Records), float64(s.CPUNS)/1e9) }

// CPUPerRecordNS is the processor time of a record in nanoseconds.
func (s Sample) CPUPerRecordNS() float64 { return ratio(float64(s.CPUNS), float64(s.Records)) }

// AllocsPerRecord is the number of heap objects allocated for a record.
func (s Sample) AllocsPerRecord() float64 { return ratio(float64(s.Mallocs), float64(s.Records)) }

// Sustained says whether the run kept to its schedule. Latencies of one that did not are those of a growing queue.
func (s Sample) Sustained() bool {
	return s.RatePerSecond == 0 || s.PerSecond() >= SustainedMin*s.RatePerSecond
}

// quantileNS is the latency at quantile q of 0 to 1, NaN without a histogram.
func quantileNS(h *hdrhistogram.Histogram, q float64) float64 {
	if h == nil || h.TotalCount() == 0 {
		return math.NaN()
	}
	return float64(h.ValueAtPercentile(q * 100))
}
