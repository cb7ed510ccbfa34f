package harness

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// histograms are the latencies of all counted rounds by contestant, for the plot.
type histograms map[string]*hdrhistogram.Histogram

// condense makes the report of all rounds.
func (b Benchmark) condense(o Options, rounds []Round) Report {
	rep := Report{Benchmark: b.Name, Options: o, Figures: map[string]Figures{}, Machine: ReadMachine(), Commit: Commit(), histograms: histograms{}, baseP99Max: b.baseP99Max()}
	rep.Rounds.Measured = len(rounds)
	for _, r := range rounds {
		rf := b.roundFigures(r)
		rep.PerRound = append(rep.PerRound, rf)
		if l, ok := r.Latency[b.Subject.Name]; ok && !l.Sustained() {
			rep.Rounds.NotSustainedBy++
		}
		if latencyCounts(r.Latency[b.Base.Name]) {
			rep.histograms.add(r)
		}
	}
	rep.Ratio = medians(rep.PerRound, func(r RoundFigures) Ratios { return r.Ratio }, (*Ratios).columns)
	for _, c := range b.contestants(0) {
		rep.Figures[c.Name] = medians(rep.PerRound, func(r RoundFigures) Figures { return r.Figures[c.Name] }, (*Figures).columns)
		rep.AllocsPerRecord = rep.Figures[c.Name].AllocsPerRecord // the subject comes last
	}
	rep.P50AddedUS, rep.Rounds.P50 = b.added(rep.PerRound, func(r RoundFigures) Figure { return r.Ratio.P50 }, func(f Figures) Figure { return f.P50US })
	rep.P99AddedUS, rep.Rounds.P99 = b.added(rep.PerRound, func(r RoundFigures) Figure { return r.Ratio.P99 }, func(f Figures) Figure { return f.P99US })
	if b.Notes != nil {
		rep.Notes = b.Notes(rep)
	}
	return rep
}

// latencyCounts says whether the base kept to its schedule; if not, the machine was too busy for any latency.
func latencyCounts(base Sample) bool { return base.Latency != nil && base.Sustained() }

// p99Counts says whether the base was calm enough for a ratio of p99.
func (b Benchmark) p99Counts(base Sample) bool {
	return latencyCounts(base) && quantileNS(base.Latency, 0.99) < float64(b.baseP99Max())
}

func (b Benchmark) roundFigures(r Round) RoundFigures {
	rf := RoundFigures{Figures: map[string]Figures{}, P99Used: b.p99Counts(r.Latency[b.Base.Name])}
	for _, c := range b.contestants(0) {
		rf.Figures[c.Name] = figures(r.Throughput[c.Name], r.Latency[c.Name])
	}
	base := rf.Figures[b.Base.Name]
	subject, measured := rf.Figures[b.Subject.Name]
	over := func(s, b Figure, counts bool) Figure {
		if !measured || !counts {
			return Figure(math.NaN())
		}
		return Figure(ratio(float64(s), float64(b)))
	}
	p50 := latencyCounts(r.Latency[b.Base.Name])
	rf.Ratio = Ratios{
		Throughput: over(subject.RecordsPerSecond, base.RecordsPerSecond, true),
		CPU:        over(subject.CPUPerRecordNS, base.CPUPerRecordNS, true),
		P50:        over(subject.P50US, base.P50US, p50),
		P99:        over(subject.P99US, base.P99US, rf.P99Used),
		HopP50:     over(subject.HopP50US, base.HopP50US, p50),
		HopP99:     over(subject.HopP99US, base.HopP99US, rf.P99Used),
	}
	return rf
}

// added is the median of subject minus base over the rounds that have the ratio, and how many those are.
func (b Benchmark) added(rounds []RoundFigures, has func(RoundFigures) Figure, of func(Figures) Figure) (Figure, int) {
	m, n := medianOf(rounds, func(r RoundFigures) float64 {
		if math.IsNaN(float64(has(r))) {
			return math.NaN()
		}
		return float64(of(r.Figures[b.Subject.Name]) - of(r.Figures[b.Base.Name]))
	})
	return Figure(m), n
}

// medians takes the median of each column over the rounds.
func medians[F any](rounds []RoundFigures, of func(RoundFigures) F, columns func(*F) []*Figure) (out F) {
	for i, dst := range columns(&out) {
		m, _ := medianOf(rounds, func(r RoundFigures) float64 {
			f := of(r)
			return float64(*columns(&f)[i])
		})
		*dst = Figure(m)
	}
	return out
}

// add merges the latencies of a round.
func (hs histograms) add(r Round) {
	for name, s := range r.Latency {
		if hs[name] == nil {
			hs[name] = NewHistogram()
		}
		hs[name].Merge(s.Latency)
	}
}
