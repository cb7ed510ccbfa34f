package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// result is the last line under -json.
type result struct {
	Benchmark string `json:"benchmark"`
	Ratio     struct {
		CPU    harness.Figure            `json:"cpu"` // the worst case's
		ByCase map[string]harness.Figure `json:"cpu_by_case"`
	} `json:"ratio"`
	// LatenessP99AddedUS is how much later than the floor's a timer fires, p99, by case.
	LatenessP99AddedUS map[string]harness.Figure `json:"lateness_p99_added_us,omitempty"`
	Cases              map[string]harness.Report `json:"cases"`

	order []string
}

func newResult(benchmark string) result {
	r := result{Benchmark: benchmark, LatenessP99AddedUS: map[string]harness.Figure{}, Cases: map[string]harness.Report{}}
	r.Ratio.CPU, r.Ratio.ByCase = harness.Figure(math.Inf(-1)), map[string]harness.Figure{}
	return r
}

// add measures a case, prints its table and keeps its report.
func (r *result) add(ctx context.Context, w, progress io.Writer, o harness.Options, name string, b harness.Benchmark) error {
	fmt.Fprintln(progress, name)
	rep, err := b.Run(ctx, o, progress)
	if err != nil {
		return err
	}
	if err := b.Show(w, rep, o); err != nil {
		return err
	}
	fmt.Fprintln(w)
	r.order = append(r.order, name)
	r.Cases[name], r.Ratio.ByCase[name] = rep, rep.Ratio.CPU
	r.Ratio.CPU = max(r.Ratio.CPU, rep.Ratio.CPU)
	if b.Base.Latency != nil {
		r.LatenessP99AddedUS[name] = rep.P99AddedUS
	}
	return nil
}
