package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// report is what is printed as JSON: figures are medians over the rounds, ratios medians of the rounds' ratios over the bare
// process.
type report struct {
	Benchmark string `json:"benchmark"`
	Ratio     struct {
		FirstOutput         harness.Figure `json:"first_output"`
		FirstOutputRestored harness.Figure `json:"first_output_restored"`
	} `json:"ratio"`
	Figures  map[string]figures   `json:"figures"`
	PerRound []map[string]figures `json:"per_round"`
	Keys     int64                `json:"restored_keys"`
	Options  harness.Options      `json:"options"`
	Machine  harness.Machine      `json:"machine"`
	Commit   string               `json:"commit"`
}

// figures are those of one kind of start: bare, fresh or restored.
type figures struct {
	FirstOutputMS harness.Figure  `json:"first_output_ms"`
	ResidentMB    *harness.Figure `json:"resident_mb,omitempty"` // 10⁶ bytes
	PeakMB        *harness.Figure `json:"peak_resident_mb,omitempty"`
}

func newReport(o harness.Options, keys int64, all []round) report {
	r := report{Benchmark: "startup", Keys: keys, Options: o, Machine: harness.ReadMachine(), Commit: harness.Commit()}
	r.Figures = byKind(func(of func(round) float64) float64 { return median(all, of) })
	for _, x := range all {
		r.PerRound = append(r.PerRound, byKind(func(of func(round) float64) float64 { return of(x) }))
	}
	r.Ratio.FirstOutput = harness.Figure(median(all, func(x round) float64 { return float64(x.startNS) / float64(x.bareNS) }))
	r.Ratio.FirstOutputRestored = harness.Figure(median(all, func(x round) float64 { return float64(x.restoredNS) / float64(x.bareNS) }))
	return r
}

// byKind makes figures of what value says of each measure.
func byKind(value func(of func(round) float64) float64) map[string]figures {
	const nsPerMS, bytesPerMB = 1e6, 1e6
	figure := func(scale float64, of func(round) int64) harness.Figure {
		return harness.Figure(value(func(r round) float64 { return float64(of(r)) / scale }))
	}
	resident := figure(bytesPerMB, func(r round) int64 { return r.memory.resident })
	peak := figure(bytesPerMB, func(r round) int64 { return r.memory.peak })
	return map[string]figures{
		"bare":     {FirstOutputMS: figure(nsPerMS, func(r round) int64 { return r.bareNS })},
		"fresh":    {figure(nsPerMS, func(r round) int64 { return r.startNS }), &resident, &peak},
		"restored": {FirstOutputMS: figure(nsPerMS, func(r round) int64 { return r.restoredNS })},
	}
}

// median of what there is at least one of.
func median(all []round, of func(round) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = of(r)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (r report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "startup\tfirst output\tover bare\tresident\tpeak\t\n")
	bare, fresh, restored := r.Figures["bare"], r.Figures["fresh"], r.Figures["restored"]
	fmt.Fprintf(t, "bare process\t%.1f ms\t\t\t\t\n", float64(bare.FirstOutputMS))
	fmt.Fprintf(t, "wordcount\t%.1f ms\t%.2f×\t%.1f MB\t%.1f MB\t\n", float64(fresh.FirstOutputMS), float64(r.Ratio.FirstOutput), float64(*fresh.ResidentMB), float64(*fresh.PeakMB))
	fmt.Fprintf(t, "from %d keys\t%.1f ms\t%.2f×\t\t\t\n", r.Keys, float64(restored.FirstOutputMS), float64(r.Ratio.FirstOutputRestored))
	if err := t.Flush(); err != nil {
		return err
	}
	m := r.Machine
	_, err := fmt.Fprintf(w, "medians of %d; memory behind %g s at %s records/s; MB are 10⁶ bytes\nmachine: %s, %d cores (GOMAXPROCS %d), %s, %s/%s, kernel %s, load %.2f; commit %s\n",
		len(r.PerRound), r.Options.Seconds, recordsPerSecond, m.CPU, m.Cores, m.GoMaxProcs, m.Go, m.OS, m.Arch, m.Kernel, float64(m.Load1), r.Commit)
	return err
}

func ms(ns int64) string { return fmt.Sprintf("%.1f ms", float64(ns)/1e6) }

func mb(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
