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
	// HasTrigger: the barrier ends a batch, whose number Batch holds.
	HasTrigger
)

// NoBatch is the number of no batch: they count from 0.
const NoBatch = -1

// Mark is the trailer of a batch: it holds after the last record, in the order watermark, barrier, end. The zero Mark
// says nothing.
type Mark struct {
	WatermarkNS int64 // no record with an older event time is expected on this lane
	Epoch       Epoch
	Batch       int64
	Has         MarkBits
}

// BarrierOf is the mark of the barrier of e. A batch other than NoBatch ends with it: the barrier is a trigger.
func BarrierOf(e Epoch, batch int64) Mark {
	m := Mark{Epoch: e, Has: HasBarrier}
	if batch != NoBatch {
		m.Batch, m.Has = batch, m.Has|HasTrigger
	}
	return m
}

// Ends is the number of the batch that ends at the mark, NoBatch when none does.
func (m Mark) Ends() int64 {
	if m.Has&HasTrigger == 0 {
		return NoBatch
	}
	return m.Batch
}
