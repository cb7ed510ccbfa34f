package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// What is wanted of the ratios and of the latency.
const (
	cpuRatioMax        = 3
	throughputRatioMin = 5
	p99MaxMS           = 5
)

// Above these a round's latencies say more about the machine than about the workers: the p99 of the job in one process, and the cores that
// others used. One process may find a free core where the four that a record goes through with workers do not.
const (
	oneP99Max  = 3 * time.Millisecond
	foreignMax = 0.25
)

// Names of the contestants in the report.
const (
	oneProcess   = "one process"
	twoWorkers   = "two workers"
	messageEach  = "a message a record"
	crossingPart = 0.5 // of the records of two workers go to the other one
)

// report is what is printed as JSON. Figures are medians over the rounds, those of latency over the rounds that count for it; ratios are medians of
// the rounds' ratios.
type report struct {
	Benchmark string             `json:"benchmark"`
	Ratio     ratios             `json:"ratio"`
	P50MS     harness.Figure     `json:"p50_ms"` // of two workers
	P99MS     harness.Figure     `json:"p99_ms"`
	Wanted    wanted             `json:"wanted"`
	Met       map[string]bool    `json:"met"`
	Figures   map[string]figures `json:"figures"`
	Rounds    counted            `json:"rounds"`
	PerRound  []roundFigures     `json:"per_round"`
	Notes     []string           `json:"notes"`
	Options   harness.Options    `json:"options"`
	Machine   harness.Machine    `json:"machine"`
	Commit    string             `json:"commit"`
}

// ratios are those of two workers.
type ratios struct {
	CPU           harness.Figure `json:"cpu"`                    // of both workers together for a record, over one process
	Throughput    harness.Figure `json:"throughput"`             // over a message a record
	Crossing      harness.Figure `json:"throughput_crossing"`    // the same, of those records alone that go through NATS
	PerCore       harness.Figure `json:"throughput_per_core"`    // the same for a second of processor time of all processes, which others on the machine change less
	OverOne       harness.Figure `json:"throughput_one_process"` // over one process
	P99OneProcess harness.Figure `json:"p99_one_process"`        // over one process
}

type wanted struct {
	CPUMax        float64 `json:"cpu_max"`
	ThroughputMin float64 `json:"throughput_min"`
	P99MSMax      float64 `json:"p99_ms_max"`
}

type counted struct {
	Measured     int `json:"measured"`
	Latency      int `json:"latency"`       // of these: those with a calm machine, whose one process kept to the schedule
	NotSustained int `json:"not_sustained"` // of these: two workers did not keep to the schedule
}

type roundFigures struct {
	Ratio       ratios             `json:"ratio"`
	LatencyUsed bool               `json:"latency_counted"`
	Figures     map[string]figures `json:"figures"`
}

// figures are those of one contestant.
type figures struct {
	RecordsPerSecond harness.Figure `json:"records_per_second"`
	CPUPerRecordNS   harness.Figure `json:"cpu_ns_per_record"`        // of the processes that do the work
	ServerPerRecord  harness.Figure `json:"server_cpu_ns_per_record"` // the NATS server's
	HomePerRecord    harness.Figure `json:"home_cpu_ns_per_record"`   // of the process that started the job
	ForeignCores     harness.Figure `json:"foreign_cores"`
	OpenLoopCPU      harness.Figure `json:"open_loop_cpu_ns_per_record"`
	OpenLoopAchieved harness.Figure `json:"open_loop_achieved"` // share of the schedule
	P50MS            harness.Figure `json:"p50_ms"`             // from the time a record was due until its count was at the sink
	P99MS            harness.Figure `json:"p99_ms"`
	P999MS           harness.Figure `json:"p99_9_ms"`
}

// whole is the processor time of a record in all processes.
func (f figures) whole() harness.Figure {
	return f.CPUPerRecordNS + f.ServerPerRecord + f.HomePerRecord
}

// columns lists the figures in the order of the type.
func (f *figures) columns() []*harness.Figure { return append(f.closed(), f.open()...) }

func (f *figures) closed() []*harness.Figure {
	return []*harness.Figure{&f.RecordsPerSecond, &f.CPUPerRecordNS, &f.ServerPerRecord, &f.HomePerRecord, &f.ForeignCores}
}

func (f *figures) open() []*harness.Figure {
	return []*harness.Figure{&f.OpenLoopCPU, &f.OpenLoopAchieved, &f.P50MS, &f.P99MS, &f.P999MS}
}

func (r *ratios) columns() []*harness.Figure {
	return []*harness.Figure{&r.CPU, &r.Throughput, &r.Crossing, &r.PerCore, &r.OverOne, &r.P99OneProcess}
}

func (s sample) perSecond() float64 { return float64(s.records) / (float64(s.elapsedNS) / 1e9) }

func (s sample) achieved() float64 { return s.perSecond() / float64(s.rate) }

// counts says whether the machine was calm enough for the round's latencies.
func (r round) counts() bool {
	busy := r.oneLatency.foreignCores > foreignMax || r.spreadLate.foreignCores > foreignMax // neither where it is unknown
	return !busy && time.Duration(r.oneLatency.p99NS) <= oneP99Max && r.oneLatency.achieved() >= harness.SustainedMin
}

// figuresOf condenses the windows of a contestant; one without an open loop has no latency.
func figuresOf(closed, open sample, counts bool) (f figures) {
	perRecord := func(ns int64, s sample) harness.Figure { return harness.Figure(float64(ns) / float64(s.records)) }
	f.RecordsPerSecond = harness.Figure(closed.perSecond())
	f.CPUPerRecordNS, f.ServerPerRecord, f.HomePerRecord = perRecord(closed.cpuNS, closed), perRecord(closed.serverNS, closed), perRecord(closed.homeNS, closed)
	f.ForeignCores = harness.Figure(closed.foreignCores)
	for _, to := range f.open() {
		*to = harness.Figure(math.NaN())
	}
	if open.rate > 0 && counts {
		f.OpenLoopCPU, f.OpenLoopAchieved = perRecord(open.cpuNS, open), harness.Figure(open.achieved())
		f.P50MS, f.P99MS, f.P999MS = ms(open.p50NS), ms(open.p99NS), ms(open.p999NS)
	}
	return f
}

func ms(ns int64) harness.Figure { return harness.Figure(float64(ns) / 1e6) }

func (r round) figures() roundFigures {
	one, spread := figuresOf(r.one, r.oneLatency, r.counts()), figuresOf(r.spread, r.spreadLate, r.counts())
	each := figuresOf(r.messages, sample{}, false)
	over := spread.RecordsPerSecond / each.RecordsPerSecond
	return roundFigures{
		LatencyUsed: r.counts(),
		Figures:     map[string]figures{oneProcess: one, twoWorkers: spread, messageEach: each},
		Ratio: ratios{
			CPU: spread.CPUPerRecordNS / one.CPUPerRecordNS, Throughput: over, Crossing: crossingPart * over,
			PerCore: each.whole() / spread.whole(), OverOne: spread.RecordsPerSecond / one.RecordsPerSecond, P99OneProcess: spread.P99MS / one.P99MS,
		},
	}
}

func newReport(o harness.Options, rate int64, all []round) report {
	r := report{
		Benchmark: "remote", Options: o, Machine: harness.ReadMachine(), Commit: harness.Commit(), Figures: map[string]figures{},
		Rounds: counted{Measured: len(all)}, Wanted: wanted{cpuRatioMax, throughputRatioMin, p99MaxMS},
		Notes: []string{
			fmt.Sprintf("%d keys of 15 B, parallelism %d, checkpoints every second; latency at %d records/s, from the time a record was due to its count at the sink", keys, tasks, rate),
			"CPU is that of both workers, of the one process, or of publisher and counter; the NATS server and the process with the sink stand apart",
			fmt.Sprintf("latencies of rounds whose one process has a p99 above %v, or in which others use more than %.2f cores, do not count", oneP99Max, foreignMax),
		},
	}
	for _, x := range all {
		f := x.figures()
		r.PerRound = append(r.PerRound, f)
		if f.LatencyUsed {
			r.Rounds.Latency++
		}
		if f.LatencyUsed && x.spreadLate.achieved() < harness.SustainedMin {
			r.Rounds.NotSustained++
		}
	}
	for _, name := range []string{oneProcess, twoWorkers, messageEach} {
		r.Figures[name] = medians(r.PerRound, func(f roundFigures) figures { return f.Figures[name] }, (*figures).columns)
	}
	r.Ratio = medians(r.PerRound, func(f roundFigures) ratios { return f.Ratio }, (*ratios).columns)
	r.P50MS, r.P99MS = r.Figures[twoWorkers].P50MS, r.Figures[twoWorkers].P99MS
	r.Met = map[string]bool{ // what was not measured is not met
		"cpu": r.Ratio.CPU <= cpuRatioMax, "throughput": r.Ratio.Throughput >= throughputRatioMin, "p99_ms": r.P99MS <= p99MaxMS && r.Rounds.NotSustained == 0,
	}
	return r
}

// medians takes the median of each column over the rounds that have it; NaN where none has.
func medians[F any](rounds []roundFigures, of func(roundFigures) F, columns func(*F) []*harness.Figure) (m F) {
	for i, to := range columns(&m) {
		var values []float64
		for _, r := range rounds {
			f := of(r)
			if v := float64(*columns(&f)[i]); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		slices.Sort(values)
		*to = harness.Figure(math.NaN())
		if n := len(values); n > 0 {
			*to = harness.Figure((values[(n-1)/2] + values[n/2]) / 2)
		}
	}
	return m
}

// text is a figure for people; one that was not measured is a dash.
func text(format string, f harness.Figure) string {
	if v := float64(f); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return fmt.Sprintf(format, v)
	}
	return "–"
}

// String is the line of a finished round.
func (r round) String() string {
	f := r.figures()
	one, spread, each := f.Figures[oneProcess], f.Figures[twoWorkers], f.Figures[messageEach]
	s := fmt.Sprintf("  one process %.2f M/s %.0f ns  two workers %.2f M/s %.0f ns (cpu %.2f×)  a message each %.2f M/s (%.1f×)  p99 %.2f ms, one process %.2f ms",
		one.RecordsPerSecond/1e6, one.CPUPerRecordNS, spread.RecordsPerSecond/1e6, spread.CPUPerRecordNS, f.Ratio.CPU,
		each.RecordsPerSecond/1e6, f.Ratio.Throughput, ms(r.spreadLate.p99NS), ms(r.oneLatency.p99NS))
	if !r.counts() {
		s += fmt.Sprintf("  LATENCY DOES NOT COUNT: foreign cores %.2f", max(r.oneLatency.foreignCores, r.spreadLate.foreignCores))
	}
	if r.spreadLate.achieved() < harness.SustainedMin {
		s += fmt.Sprintf("  NOT SUSTAINED: %.1f %%", 100*r.spreadLate.achieved())
	}
	return s
}

func (r report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "remote\t%s\t%s\t%s\t\n", oneProcess, messageEach, twoWorkers)
	for i, line := range []struct{ name, format string }{
		{"records/s", "%.0f"},
		{"CPU ns/record", "%.0f"},
		{"NATS server's", "%.0f"},
		{"process with the sink's", "%.1f"},
		{"foreign cores", "%.2f"},
		{"CPU ns/record at the rate", "%.0f"},
		{"share of the schedule", "%.3f"},
		{"p50 ms", "%.2f"},
		{"p99 ms", "%.2f"},
		{"p99.9 ms", "%.2f"},
	} {
		fmt.Fprintf(t, "%s\t", line.name)
		for _, name := range []string{oneProcess, messageEach, twoWorkers} {
			f := r.Figures[name]
			fmt.Fprintf(t, "%s\t", text(line.format, *f.columns()[i]))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "CPU over one process %s× (wanted ≤ %d×), throughput over a message a record %s× (≥ %d×; of what goes through NATS %s×, per core %s×), p99 %s ms (≤ %d ms)\n",
		text("%.2f", r.Ratio.CPU), cpuRatioMax, text("%.2f", r.Ratio.Throughput), throughputRatioMin, text("%.2f", r.Ratio.Crossing), text("%.2f", r.Ratio.PerCore),
		text("%.2f", r.P99MS), p99MaxMS)
	fmt.Fprintf(w, "%d rounds, %d count for latency, %d of these not sustained\n", r.Rounds.Measured, r.Rounds.Latency, r.Rounds.NotSustained)
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	m := r.Machine
	_, err := fmt.Fprintf(w, "machine: %s, %d cores (GOMAXPROCS %d), %s, %s/%s, kernel %s, load %.2f; commit %s\n",
		m.CPU, m.Cores, m.GoMaxProcs, m.Go, m.OS, m.Arch, m.Kernel, float64(m.Load1), r.Commit)
	return err
}
