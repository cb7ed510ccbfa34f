package harness

import (
	"math"
	"time"
)

// Report is what a benchmark prints as JSON. Ratios are medians of the per-round ratios, subject over base; absolute
// figures are medians over the rounds.
type Report struct {
	Benchmark       string             `json:"benchmark"`
	Ratio           Ratios             `json:"ratio"`
	AllocsPerRecord Figure             `json:"allocs_per_record"` // of the subject, or of the base when it runs alone
	P50AddedUS      Figure             `json:"p50_added_us"`      // subject minus base, rounds as for the ratios
	P99AddedUS      Figure             `json:"p99_added_us"`
	Rounds          Counted            `json:"rounds"`
	Figures         map[string]Figures `json:"figures"` // by contestant
	PerRound        []RoundFigures     `json:"per_round"`
	Notes           []string           `json:"notes,omitempty"`
	Options         Options            `json:"options"`
	Machine         Machine            `json:"machine"`
	Commit          string             `json:"commit"`

	histograms histograms
	baseP99Max time.Duration
}

// Ratios are subject over base: above 1 is good for throughput and bad for the others.
type Ratios struct {
	Throughput Figure `json:"throughput"`
	CPU        Figure `json:"cpu"` // processor time per record in the closed loop
	P50        Figure `json:"p50"`
	P99        Figure `json:"p99"`
	HopP50     Figure `json:"hop_p50"`
	HopP99     Figure `json:"hop_p99"`
}

// Counted says how many rounds there were and how many the latency medians rest on.
type Counted struct {
	Measured       int `json:"measured"`
	P50            int `json:"p50"` // rounds whose base kept to its schedule
	P99            int `json:"p99"` // those of them whose base had a p99 below Benchmark.BaseP99Max
	NotSustainedBy int `json:"subject_not_sustained"`
}

// Figures are one contestant's absolute figures.
type Figures struct {
	RecordsPerSecond     Figure `json:"records_per_second"`
	RecordsPerCoreSecond Figure `json:"records_per_core_second"`
	CPUPerRecordNS       Figure `json:"cpu_ns_per_record"`
	AllocsPerRecord      Figure `json:"allocs_per_record"`
	OpenLoopCPUPerRecord Figure `json:"open_loop_cpu_ns_per_record"`
	OpenLoopAchieved     Figure `json:"open_loop_achieved"` // share of the schedule
	P50US                Figure `json:"p50_us"`
	P99US                Figure `json:"p99_us"`
	P999US               Figure `json:"p99_9_us"`
	HopP50US             Figure `json:"hop_p50_us"`
	HopP99US             Figure `json:"hop_p99_us"`
	ForeignCores         Figure `json:"foreign_cores"` // cores that other processes used in the closed loop
}

// RoundFigures are one round's figures by contestant, and its own ratios.
type RoundFigures struct {
	Ratio   Ratios             `json:"ratio"`
	P99Used bool               `json:"p99_counted"`
	Figures map[string]Figures `json:"figures"`
}

// figures condenses the two windows of a contestant in one round.
func figures(t, l Sample) Figures {
	us := func(v float64) Figure { return Figure(v / 1e3) }
	achieved := math.NaN()
	if l.RatePerSecond > 0 {
		achieved = l.PerSecond() / l.RatePerSecond
	}
	return Figures{
		RecordsPerSecond:     Figure(t.PerSecond()),
		RecordsPerCoreSecond: Figure(t.PerCoreSecond()),
		CPUPerRecordNS:       Figure(t.CPUPerRecordNS()),
		AllocsPerRecord:      Figure(t.AllocsPerRecord()),
		OpenLoopCPUPerRecord: Figure(l.CPUPerRecordNS()),
		OpenLoopAchieved:     Figure(achieved),
		P50US:                us(quantileNS(l.Latency, 0.5)),
		P99US:                us(quantileNS(l.Latency, 0.99)),
		P999US:               us(quantileNS(l.Latency, 0.999)),
		HopP50US:             us(quantileNS(l.Hop, 0.5)),
		HopP99US:             us(quantileNS(l.Hop, 0.99)),
		ForeignCores:         Figure(t.ForeignCores),
	}
}

// columns lists the figures in the order of the type, for medians over rounds.
func (f *Figures) columns() []*Figure {
	return []*Figure{
		&f.RecordsPerSecond, &f.RecordsPerCoreSecond, &f.CPUPerRecordNS, &f.AllocsPerRecord, &f.OpenLoopCPUPerRecord,
		&f.OpenLoopAchieved, &f.P50US, &f.P99US, &f.P999US, &f.HopP50US, &f.HopP99US, &f.ForeignCores,
	}
}

// columns lists the ratios in the order of the type.
func (r *Ratios) columns() []*Figure {
	return []*Figure{&r.Throughput, &r.CPU, &r.P50, &r.P99, &r.HopP50, &r.HopP99}
}
