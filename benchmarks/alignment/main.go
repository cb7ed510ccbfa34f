// Command alignment measures how long barriers hold tasks back and epochs take: when one of four inputs brings ten times what the others do and keys are
// skewed, and when a sink takes a hundredth of what comes. The second job is killed in the middle, with records on their way in its epoch, and
// goes on with other numbers of tasks; its output must be exact.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
)

// report is the last line under -json. Times are milliseconds.
type report struct {
	AlignP50MS      float64         `json:"align_p50_ms"`
	AlignP99MS      float64         `json:"align_p99_ms"`
	AlignMaxMS      float64         `json:"align_max_ms"`
	Epochs          int             `json:"epochs"`
	Unaligned       int             `json:"unaligned"`
	PressedMaxMS    float64         `json:"pressed_epoch_max_ms"` // the longest epoch under back-pressure
	PressedEpochs   int             `json:"pressed_epochs"`
	ChannelRecords  int64           `json:"channel_records"` // on their way in the epochs of the pressed job
	Exact           bool            `json:"exact"`
	Machine         harness.Machine `json:"machine"`
	Commit          string          `json:"commit"`
	RecordsPerSec   float64         `json:"skewed_records_per_second"`
	PressedPerSec   float64         `json:"pressed_records_per_second"`
	UnpressedPerSec float64         `json:"unpressed_records_per_second"` // of the same job with a sink that discards; both of the last round

	aligned []time.Duration // of each epoch
}

func main() {
	rounds := flag.Int("rounds", 3, "how often both jobs run")
	seconds := flag.Float64("seconds", 20, "how long the skewed job runs")
	records := flag.Int64("records", 400_000, "records through the pressed job")
	asJSON := flag.Bool("json", false, "print one JSON object as the last line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	rep, err := run(ctx, *rounds, time.Duration(*seconds*float64(time.Second)), *records)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rep.print()
	if *asJSON {
		line, err := json.Marshal(rep)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(line))
	}
	if !rep.Exact {
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, d time.Duration, records int64) (rep report, err error) {
	if rounds < 1 || d <= 0 || records < 1 {
		return rep, fmt.Errorf("-rounds is %d, -seconds %v, -records %d: want at least 1, more than 0, and at least 1", rounds, d, records)
	}
	rep.Machine, rep.Commit, rep.Exact = harness.ReadMachine(), harness.Commit(), true
	for range rounds {
		if err := rep.skewed(ctx, d); err != nil {
			return rep, err
		}
		if err := rep.pressed(ctx, records); err != nil {
			return rep, err
		}
	}
	rep.Epochs = len(rep.aligned)
	rep.AlignP50MS, rep.AlignP99MS, rep.AlignMaxMS = percentile(rep.aligned, 0.5), percentile(rep.aligned, 0.99), percentile(rep.aligned, 1)
	rep.RecordsPerSec /= float64(rounds)
	return rep, nil
}

// watch collects how each epoch of a query goes until it ends.
func watch(q *millrace.Query, each func(millrace.EpochProgress)) {
	last := q.Progress().LastEpoch.Number
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		if e := q.Progress().LastEpoch; e.Number != last {
			last = e.Number
			each(e)
		}
		select {
		case <-q.Done():
			return
		case <-ticker.C:
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile of times in any order; 0 of none.
func percentile(all []time.Duration, p float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return ms(all[min(int(p*float64(len(all))), len(all)-1)])
}

func (r *report) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "skewed\t%d epochs, %d unaligned\talignment p50 %.1f ms, p99 %.1f ms, max %.1f ms\t%.0f records/s\n",
		r.Epochs, r.Unaligned, r.AlignP50MS, r.AlignP99MS, r.AlignMaxMS, r.RecordsPerSec)
	fmt.Fprintf(w, "pressed\t%d epochs\tlongest %.1f ms, %d records on their way in epochs, exact %t\t%.0f records/s of %.0f\n",
		r.PressedEpochs, r.PressedMaxMS, r.ChannelRecords, r.Exact, r.PressedPerSec, r.UnpressedPerSec)
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
