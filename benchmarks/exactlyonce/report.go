package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// delay is how long the records of a window took.
type delay struct {
	whole   times // from the moment a record was due until it was read, committed
	written times // from then until the broker had appended it to the topic that is read; to a millisecond
	visible times // from there until it was read
}

type times struct{ *hdrhistogram.Histogram }

func newTimes() times { return times{harness.NewHistogram()} }

func (t times) quantile(q float64) time.Duration { return time.Duration(t.ValueAtQuantile(100 * q)) }

func (t times) ms(q float64) float64 { return float64(t.quantile(q)) / float64(time.Millisecond) }

func (t times) String() string { return fmt.Sprintf("p50 %.1f p99 %.1f ms", t.ms(0.5), t.ms(0.99)) }

// report is what is printed as JSON. Figures are medians over the rounds that count, ratios medians of these rounds' ratios of exactly-once
// over at-least-once.
type report struct {
	Benchmark string               `json:"benchmark"`
	Ratio     figures              `json:"ratio"`
	P50MS     harness.Figure       `json:"p50_ms"` // exactly-once
	P99MS     harness.Figure       `json:"p99_ms"`
	Holds100k map[string]bool      `json:"holds_100k_per_second"` // the median throughput is at least that
	Figures   map[string]figures   `json:"figures"`
	Rounds    counted              `json:"rounds"`
	PerRound  []map[string]figures `json:"per_round"`
	Notes     []string             `json:"notes"`
	Options   harness.Options      `json:"options"`
	Machine   harness.Machine      `json:"machine"`
	Commit    string               `json:"commit"`
}

type counted struct {
	Measured int `json:"measured"`
	Counted  int `json:"counted"` // those whose null pipeline had a p99 of 10 ms at most
}

// figures are those of one contestant.
type figures struct {
	P50MS            harness.Figure `json:"p50_ms"`
	P99MS            harness.Figure `json:"p99_ms"`
	P999MS           harness.Figure `json:"p99_9_ms"`
	WrittenP50MS     harness.Figure `json:"written_p50_ms"` // due to appended, to a millisecond
	WrittenP99MS     harness.Figure `json:"written_p99_ms"`
	VisibleP50MS     harness.Figure `json:"visible_p50_ms"` // appended to read
	VisibleP99MS     harness.Figure `json:"visible_p99_ms"`
	RecordsPerSecond harness.Figure `json:"records_per_second"`
	CPUPerRecordNS   harness.Figure `json:"cpu_ns_per_record"`
}

// columns lists the figures in the order of the type.
func (f *figures) columns() []*harness.Figure {
	return []*harness.Figure{
		&f.P50MS, &f.P99MS, &f.P999MS, &f.WrittenP50MS, &f.WrittenP99MS, &f.VisibleP50MS, &f.VisibleP99MS, &f.RecordsPerSecond, &f.CPUPerRecordNS,
	}
}

const (
	null        = "null"
	atLeastOnce = "at-least-once"
	exactlyOnce = "exactly-once"

	holdPerSecond = 100_000
)

func figuresOf(d delay, s harness.Sample) figures {
	f := func(v float64) harness.Figure { return harness.Figure(v) }
	return figures{
		f(d.whole.ms(0.5)), f(d.whole.ms(0.99)), f(d.whole.ms(0.999)), f(d.written.ms(0.5)), f(d.written.ms(0.99)), f(d.visible.ms(0.5)), f(d.visible.ms(0.99)),
		f(s.PerSecond()), f(s.CPUPerRecordNS()),
	}
}

func newReport(o harness.Options, c *course, all []round) report {
	r := report{
		Benchmark: "exactlyonce", Options: o, Machine: harness.ReadMachine(), Commit: harness.Commit(),
		Rounds: counted{Measured: len(all)}, Figures: map[string]figures{}, Holds100k: map[string]bool{},
		Notes: []string{
			fmt.Sprintf("%d records of %d B a second, %d partitions, checkpoint interval %v, epochs by default: every 20 ms exactly-once", c.rate, valueBytes, c.partitions, checkpointEvery),
			fmt.Sprintf("throughput: a copy of %d records that are there, start and end of the job included; CPU is the client's alone", c.records),
			fmt.Sprintf("rounds whose null pipeline has a p99 above %v do not count", nullP99Max),
		},
	}
	per := map[string][]figures{}
	var ratios []figures
	for _, x := range all {
		f := map[string]figures{
			null:        figuresOf(x.null, harness.Sample{}),
			atLeastOnce: figuresOf(x.atLeastOnce, x.atLeastOnceThroughput),
			exactlyOnce: figuresOf(x.exactlyOnce, x.exactlyOnceThroughput),
		}
		r.PerRound = append(r.PerRound, f)
		if !x.counts() {
			continue
		}
		r.Rounds.Counted++
		for name, of := range f {
			per[name] = append(per[name], of)
		}
		ratios = append(ratios, over(f[exactlyOnce], f[atLeastOnce]))
	}
	r.Ratio = medians(ratios)
	for _, name := range []string{null, atLeastOnce, exactlyOnce} {
		r.Figures[name] = medians(per[name])
		if name != null {
			r.Holds100k[name] = r.Figures[name].RecordsPerSecond >= holdPerSecond
		}
	}
	r.P50MS, r.P99MS = r.Figures[exactlyOnce].P50MS, r.Figures[exactlyOnce].P99MS
	return r
}

// over is a/b of each figure.
func over(a, b figures) (q figures) {
	for i, to := range q.columns() {
		*to = *a.columns()[i] / *b.columns()[i]
	}
	return q
}

// medians are NaN of nothing, and leave out what was not measured.
func medians(all []figures) (m figures) {
	for i, to := range m.columns() {
		var values []float64
		for _, f := range all {
			if v := float64(*f.columns()[i]); !math.IsNaN(v) {
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

// text is a figure for people; one that was not measured, or rests on no round, is a dash.
func text(format string, f harness.Figure) string {
	if v := float64(f); !math.IsNaN(v) && !math.IsInf(v, 0) && v != 0 {
		return fmt.Sprintf(format, v)
	}
	return "–"
}

func (r report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "exactlyonce\t%s\t%s\t%s\tratio\t\n", null, atLeastOnce, exactlyOnce)
	for i, name := range []string{
		"p50 ms", "p99 ms", "p99.9 ms", "written p50 ms", "written p99 ms", "then visible p50 ms", "then visible p99 ms", "records/s", "CPU ns/record",
	} {
		fmt.Fprintf(t, "%s\t", name)
		for _, of := range []string{null, atLeastOnce, exactlyOnce} {
			f := r.Figures[of]
			fmt.Fprintf(t, "%s\t", text("%.5g", *f.columns()[i]))
		}
		fmt.Fprintf(t, "%s\t\n", text("%.2f×", *r.Ratio.columns()[i]))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Fprintf(w, "rounds: %d measured, %d count\n", r.Rounds.Measured, r.Rounds.Counted)
	for _, note := range r.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}
