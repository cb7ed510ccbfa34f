package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/internal/fault"
)

// report is what is printed as JSON.
type report struct {
	Benchmark           string           `json:"benchmark"`
	Seed                uint64           `json:"seed"`
	Kills               int              `json:"kills"`
	KillsDuringRecovery int              `json:"kills_during_recovery"` // before the run had published anything of its own
	Zombies             int              `json:"zombies"`               // stopped, overtaken, continued, and ended by themselves
	Refused             int              `json:"refused"`               // second runs on locked state
	PointsKnown         int              `json:"points_known"`
	PointsHit           map[string]int   `json:"points_hit"`
	PointsMissed        []string         `json:"points_missed"` // planned, and not met
	Produced            int64            `json:"produced"`
	Sinks               map[string]tally `json:"sinks"`
	OpenTransactions    []string         `json:"open_transactions"`
	KnownTransactions   int              `json:"known_transactions"`
	HiddenOffsets       int64            `json:"hidden_offsets"` // of the output topic, from readers of committed records
	Files               int              `json:"files"`
	HiddenFiles         int              `json:"hidden_files"`
	RecoveryMS          recovery         `json:"recovery_ms"` // kill to first new committed output in Kafka
	Seconds             float64          `json:"seconds"`
	Machine             harness.Machine  `json:"machine"`
	Commit              string           `json:"commit"`
}

type recovery struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func newReport(s settings, f findings, took time.Duration) report {
	missed := append([]string{}, f.missed...)
	return report{
		Benchmark: "chaos", Seed: s.seed, Kills: f.kills, KillsDuringRecovery: f.early, Zombies: f.zombies, Refused: f.refused,
		PointsKnown: len(fault.Places()), PointsHit: f.hit, PointsMissed: missed, RecoveryMS: recoveryOf(f.recoveries),
		Seconds: took.Seconds(), Machine: harness.ReadMachine(), Commit: harness.Commit(),
	}
}

func recoveryOf(all []time.Duration) recovery {
	if len(all) == 0 {
		return recovery{}
	}
	all = slices.Sorted(slices.Values(all))
	at := func(q float64) float64 {
		return float64(all[min(int(q*float64(len(all))), len(all)-1)].Microseconds()) / 1000
	}
	return recovery{len(all), at(0.5), at(0.99), at(1)}
}

// fault says what is wrong, nil for nothing.
func (r report) fault() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Sinks)) {
		if t := r.Sinks[name]; !t.clean() {
			errs = append(errs, fmt.Errorf("%s: %d lost, %d duplicated, %d reordered, %d wrong:\n%s", name, t.Lost, t.Duplicated, t.Reordered, t.Wrong, strings.Join(t.Samples, "\n")))
		}
	}
	if len(r.OpenTransactions) > 0 || r.HiddenOffsets > 0 {
		errs = append(errs, fmt.Errorf("transactions are open behind a clean stop: %q, %d offsets are hidden", r.OpenTransactions, r.HiddenOffsets))
	}
	if r.HiddenFiles > 0 {
		errs = append(errs, fmt.Errorf("%d hidden files are left behind a clean stop", r.HiddenFiles))
	}
	if len(r.PointsMissed) > 0 {
		errs = append(errs, fmt.Errorf("points were not met: %q", r.PointsMissed))
	}
	return errors.Join(errs...)
}

// publish writes the table and, as the last line, the JSON. What is wrong is its error.
func (r report) publish(w io.Writer, asJSON bool) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "chaos\trecords\tlost\tduplicated\treordered\twrong\t\n")
	for _, name := range slices.Sorted(maps.Keys(r.Sinks)) {
		s := r.Sinks[name]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, s.Records, s.Lost, s.Duplicated, s.Reordered, s.Wrong)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d records produced; %d kills, %d of them before the run had output; %d of %d points hit, %d missed; %d zombies ended by themselves, %d second runs refused\n",
		r.Produced, r.Kills, r.KillsDuringRecovery, len(r.PointsHit), r.PointsKnown, len(r.PointsMissed), r.Zombies, r.Refused)
	fmt.Fprintf(w, "kill to first new committed output: p50 %.0f ms, p99 %.0f ms, max %.0f ms of %d\n", r.RecoveryMS.P50, r.RecoveryMS.P99, r.RecoveryMS.Max, r.RecoveryMS.Count)
	fmt.Fprintf(w, "transactions: %d ids known, %d open; %d files; %.0f s; seed %d; commit %s\n", r.KnownTransactions, len(r.OpenTransactions), r.Files, r.Seconds, r.Seed, r.Commit)
	if asJSON {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	}
	return r.fault()
}
