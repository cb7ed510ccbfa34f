// Command operators measures what an operator costs per record: a Millrace job against a loop written by hand that does the same,
// in the same process and the same rounds. A case is a file of its own; see README.md in the folder above. With -panes it measures
// what the number of panes that a record is in costs, with -bounded whether state stays bounded.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// cases are all that is measured by default.
var cases = slices.Concat(slidingCases, sessionCases, dedupCases, joinCases, processCases)

var errNoCase = errors.New("no case has such a name")

// flags are the program's own.
type flags struct {
	only    string
	panes   bool
	bounded int64
}

func main() {
	harness.ServePacer()
	var o harness.Options
	var f flags
	o.Register(flag.CommandLine, 1)
	flag.StringVar(&f.only, "case", "", "measure only the cases whose name contains this")
	flag.BoolVar(&f.panes, "panes", false, "measure windows of 1,000 slides against windows of 10 instead")
	flag.Int64Var(&f.bounded, "bounded", 0, "run joins and dedup over so many records instead and show their state")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.Profiled("operators", func() error { return run(ctx, os.Stdout, o, f) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, o harness.Options, f flags) error {
	var all result
	var err error
	switch {
	case f.bounded > 0:
		return bounded(ctx, w, f.bounded, f.only, o.JSON)
	case f.panes:
		all, err = panes(ctx, w, os.Stderr, o)
	default:
		all, err = operators(ctx, w, os.Stderr, o, f.only)
	}
	if err != nil {
		return err
	}
	return all.write(w, o.JSON)
}

// operators measures every case against its loop.
func operators(ctx context.Context, w, progress io.Writer, o harness.Options, only string) (result, error) {
	all := newResult("operators")
	for _, c := range named(cases, only) {
		if err := all.add(ctx, w, progress, o, c.Name, c.benchmark(o)); err != nil {
			return all, err
		}
	}
	return all, nil
}

func named(cases []Case, only string) (some []Case) {
	for _, c := range cases {
		if strings.Contains(c.Name, only) {
			some = append(some, c)
		}
	}
	return some
}

// write prints the ratios and, as the last line, the JSON.
func (r result) write(w io.Writer, asJSON bool) error {
	if len(r.Cases) == 0 {
		return errNoCase
	}
	for _, name := range r.order {
		fmt.Fprintf(w, "%6.3f×  %s\n", float64(r.Ratio.ByCase[name]), name)
	}
	if !asJSON {
		return nil
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
