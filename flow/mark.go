package flow

import "math"

// Epoch numbers one consistent cut of a job. The first is 1; 0 is none. It only grows within a lineage.
type Epoch int64

// Attempt numbers the runs of a job between two failures. It only grows within a lineage.
type Attempt uint64

const (
	// NoWatermarkNS is a watermark that promises nothing.
	NoWatermarkNS = math.MinInt64
	// FinalWatermarkNS is the watermark behind the last record of all splits.
	FinalWatermarkNS = math.MaxInt64
)

// MarkBits says which parts of a Mark hold.
type MarkBits uint8

const (
	// HasWatermark: WatermarkNS holds.
	HasWatermark MarkBits = 1 << iota
	// HasBarrier: Epoch holds; the records before belong to it, those behind to the next.
	HasBarrier
	// HasEnd: no record follows on this lane. Barriers still do.
	HasEnd
	// HasIdle: the lane does not hold the watermark back until a record or a watermark follows.
	HasIdle
)

// Mark is the trailer of a batch: it holds after the last record, in the order watermark, barrier, end. The zero Mark
// says nothing.
type Mark struct {
	WatermarkNS int64 // no record with an older event time is expected on this lane
	Epoch       Epoch
	Has         MarkBits
}
