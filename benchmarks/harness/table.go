package harness

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// WriteTable writes the report as people read it.
func (rep Report) WriteTable(w io.Writer, base, subject string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	f, s := rep.Figures[base], rep.Figures[subject]
	_, both := rep.Figures[subject]
	row := func(name string, value func(Figures) string, ratio Figure) {
		fmt.Fprintf(t, "%s\t%s\t", name, value(f))
		if both {
			fmt.Fprintf(t, "%s\t%s\t", value(s), times(ratio))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "%s\t%s\t", rep.Benchmark, base)
	if both {
		fmt.Fprintf(t, "%s\tratio\t", subject)
	}
	fmt.Fprintln(t)
	none := Figure(math.NaN())
	row("records/s", func(f Figures) string { return count(float64(f.RecordsPerSecond)) }, rep.Ratio.Throughput)
	row("records/s/core", func(f Figures) string { return count(float64(f.RecordsPerCoreSecond)) }, none)
	row("CPU ns/record", func(f Figures) string { return plain(f.CPUPerRecordNS) }, rep.Ratio.CPU)
	row("allocs/record", func(f Figures) string { return plain(f.AllocsPerRecord) }, none)
	row("foreign cores", func(f Figures) string { return plain(f.ForeignCores) }, none)
	if !math.IsNaN(float64(f.P50US)) {
		rep.latencyRows(row)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return rep.writeNotes(w, both)
}

func (rep Report) latencyRows(row func(string, func(Figures) string, Figure)) {
	none := Figure(math.NaN())
	us := func(of func(Figures) Figure) func(Figures) string {
		return func(f Figures) string { return duration(float64(of(f)) * 1e3) }
	}
	row("p50", us(func(f Figures) Figure { return f.P50US }), rep.Ratio.P50)
	row("p99", us(func(f Figures) Figure { return f.P99US }), rep.Ratio.P99)
	row("p99.9", us(func(f Figures) Figure { return f.P999US }), none)
	row("hop p50", us(func(f Figures) Figure { return f.HopP50US }), rep.Ratio.HopP50)
	row("hop p99", us(func(f Figures) Figure { return f.HopP99US }), rep.Ratio.HopP99)
	row("CPU ns/record at that rate", func(f Figures) string { return plain(f.OpenLoopCPUPerRecord) }, none)
	row("% of schedule", func(f Figures) string { return plain(100 * f.OpenLoopAchieved) }, none)
}

func (rep Report) writeNotes(w io.Writer, both bool) error {
	if both {
		fmt.Fprintf(w, "ratios: medians of %d per-round ratios", rep.Rounds.Measured)
		if len(rep.histograms) > 0 {
			fmt.Fprintf(w, "; p50 from %d rounds, p99 from the %d whose base was below %s", rep.Rounds.P50, rep.Rounds.P99, duration(float64(rep.baseP99Max)))
			fmt.Fprintf(w, "\nadded: p50 %s, p99 %s", signed(rep.P50AddedUS), signed(rep.P99AddedUS))
		}
		fmt.Fprintln(w)
	}
	if n := rep.Rounds.NotSustainedBy; n > 0 {
		fmt.Fprintf(w, "NOT SUSTAINED in %d rounds: the rate is more than the subject can do, its latencies are those of a queue\n", n)
	}
	for _, note := range rep.Notes {
		fmt.Fprintln(w, note)
	}
	m := rep.Machine
	_, err := fmt.Fprintf(w, "machine: %s, %d cores (GOMAXPROCS %d), %s, %s/%s, kernel %s, load %s; commit %s\n",
		m.CPU, m.Cores, m.GoMaxProcs, m.Go, m.OS, m.Arch, m.Kernel, plain(m.Load1), rep.Commit)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// count writes 15800000 as "15.8 M".
func count(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

// duration writes nanoseconds with a readable unit.
func duration(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "-"
	case math.Abs(ns) >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
	return fmt.Sprintf("%.1f µs", ns/1e3)
}

func signed(us Figure) string {
	if us > 0 {
		return "+" + duration(float64(us)*1e3)
	}
	return duration(float64(us) * 1e3)
}

func plain(f Figure) string {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return "-"
	case v != 0 && math.Abs(v) < 0.01:
		return fmt.Sprintf("%.1e", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func times(f Figure) string {
	if math.IsNaN(float64(f)) {
		return ""
	}
	return fmt.Sprintf("%.3f×", float64(f))
}
