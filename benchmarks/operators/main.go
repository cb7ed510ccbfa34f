// Command operators measures what an operator costs per record: a Millrace job against a loop written by hand that does the same,
// in the same process and the same rounds. A case is a file of its own; see README.md in the folder above.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// cases are all that is measured.
var cases = slices.Concat(slidingCases, sessionCases, dedupCases, joinCases)

func main() {
	harness.ServePacer()
	var o harness.Options
	o.Register(flag.CommandLine, 1)
	only := flag.String("case", "", "measure only the cases whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, o, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// result is the last line under -json.
type result struct {
	Benchmark string `json:"benchmark"`
	Ratio     struct {
		CPU    harness.Figure            `json:"cpu"` // the worst case's
		ByCase map[string]harness.Figure `json:"cpu_by_case"`
	} `json:"ratio"`
	Cases map[string]harness.Report `json:"cases"`
}

func run(ctx context.Context, w io.Writer, o harness.Options, only string) error {
	all := result{Benchmark: "operators", Cases: map[string]harness.Report{}}
	all.Ratio.ByCase = map[string]harness.Figure{}
	all.Ratio.CPU = harness.Figure(math.Inf(-1))
	for _, c := range cases {
		if !strings.Contains(c.Name, only) {
			continue
		}
		fmt.Fprintln(os.Stderr, c.Name)
		rep, err := c.benchmark(o).Run(ctx, o, os.Stderr)
		if err != nil {
			return err
		}
		if err := rep.WriteTable(w, floorName, subjectName); err != nil {
			return err
		}
		fmt.Fprintln(w)
		all.Cases[c.Name], all.Ratio.ByCase[c.Name] = rep, rep.Ratio.CPU
		all.Ratio.CPU = max(all.Ratio.CPU, rep.Ratio.CPU)
	}
	if len(all.Cases) == 0 {
		return errors.New("no case has such a name")
	}
	if !o.JSON {
		return nil
	}
	if err := json.NewEncoder(w).Encode(all); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
