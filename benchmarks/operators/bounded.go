package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// boundedCases forget by the watermark.
var boundedCases = slices.Concat(dedupCases, joinCases)

const (
	boundedSteps = 20
	// boundedGrowthMax is how much larger the state of the second half may be than that of the first before it counts as growing. That
	// of a state that keeps everything is about 3.
	boundedGrowthMax = 1.5
	// boundedRecordsMin is how many records it takes to tell: what is kept comes and goes as horizons pass, and the halves of a
	// shorter run differ by where in that they fall.
	boundedRecordsMin = 20_000_000
)

// boundedStep is what a job holds when so many records have been taken.
type boundedStep struct {
	Records int64 `json:"records"`
	Entries int64 `json:"state_entries"`
	Bytes   int64 `json:"state_bytes"`
	RSS     int64 `json:"rss_bytes"`
}

// boundedResult is the last line under -json.
type boundedResult struct {
	Benchmark string                    `json:"benchmark"`
	Ratio     map[string]harness.Figure `json:"ratio"` // mean number of entries of the second half over that of the first
	Steps     map[string][]boundedStep  `json:"steps"`
}

// bounded runs joins and dedup over n records and shows what they hold meanwhile. State that grows is an error if the run is long
// enough to tell.
func bounded(ctx context.Context, w io.Writer, n int64, only string, asJSON bool) error {
	all := boundedResult{"operators: bounded", map[string]harness.Figure{}, map[string][]boundedStep{}}
	var growing []error
	for _, c := range named(boundedCases, only) {
		steps, err := c.bounded(ctx, n)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if err := writeSteps(w, c.Name, steps); err != nil {
			return err
		}
		growth := grown(steps)
		fmt.Fprintf(w, "%s: entries of the second half over those of the first: %.3f\n\n", c.Name, growth)
		if n >= boundedRecordsMin && !(growth <= boundedGrowthMax) {
			growing = append(growing, fmt.Errorf("%s: state grew %.3f times over %d records", c.Name, growth, n))
		}
		all.Steps[c.Name], all.Ratio[c.Name] = steps, harness.Figure(growth)
	}
	if len(all.Steps) == 0 {
		return errNoCase
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(all); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return errors.Join(growing...)
}

// bounded looks at the job each time another part of n records has been taken. What it reads is up to 100 ms old.
func (c Case) bounded(ctx context.Context, n int64) (steps []boundedStep, err error) {
	var e timed.End
	query, err := timed.Start(ctx, timed.OneSplit[timed.Event](timed.NewReader(n)), func(in millrace.Stream[timed.Event]) { c.Millrace(in, &e) })
	if err != nil {
		return nil, err
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-query.Done():
			return steps, query.Err()
		case <-look.C:
		}
		s := holds(query.Progress())
		if s.Records >= n/boundedSteps*int64(len(steps)+1) && s.Records < n {
			steps = append(steps, s)
		}
	}
}

// holds adds up the operators of a job; the first has the source's records.
func holds(p millrace.Progress) (s boundedStep) {
	for i, o := range p.Operators {
		if i == 0 {
			s.Records = o.RecordsIn
		}
		s.Entries += o.StateEntries
		s.Bytes += o.StateBytes
	}
	s.RSS = residentBytes()
	return s
}

// residentBytes is this process's resident memory, 0 when unknown.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// grown is the mean number of entries in the second half over that in the first.
func grown(steps []boundedStep) float64 {
	mean := func(steps []boundedStep) float64 {
		sum := 0.0
		for _, s := range steps {
			sum += float64(s.Entries)
		}
		return sum / float64(len(steps))
	}
	return mean(steps[len(steps)/2:]) / mean(steps[:len(steps)/2])
}

func writeSteps(w io.Writer, name string, steps []boundedStep) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s: records\tstate entries\tstate MiB\tRSS MiB\t\n", name)
	for _, s := range steps {
		fmt.Fprintf(t, "%d\t%d\t%.1f\t%.1f\t\n", s.Records, s.Entries, float64(s.Bytes)/(1<<20), float64(s.RSS)/(1<<20))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
