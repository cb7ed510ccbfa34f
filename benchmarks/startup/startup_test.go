package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

func TestMain(m *testing.M) {
	if os.Getenv(asRunner) != "" {
		runner.Main(topologies.All()...)
	}
	os.Exit(m.Run())
}

// A whole course in small: each figure is there, the times are in their order, and the last line is the JSON.
func TestCourse(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &course{program: program{exe, []string{asRunner + "=1"}}, dir: t.TempDir(), window: 50 * time.Millisecond, keys: 20_000}
	var progress, out bytes.Buffer
	all, err := c.measure(t.Context(), 2, &progress)
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(&out, newReport(harness.Options{Rounds: 2, Seconds: 0.05}, c.keys, all), true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var r report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"bare", "fresh", "restored"} {
		if f := r.Figures[kind]; !(f.FirstOutputMS > 0) {
			t.Errorf("%s: first output after %g ms", kind, float64(f.FirstOutputMS))
		}
	}
	if f := r.Figures["fresh"]; !(*f.ResidentMB > 1) || *f.PeakMB < *f.ResidentMB {
		t.Errorf("resident %g MB, peak %g MB", float64(*f.ResidentMB), float64(*f.PeakMB))
	}
	if !(r.Ratio.FirstOutput > 0) || !(r.Ratio.FirstOutputRestored > 0) || len(r.PerRound) != 2 {
		t.Errorf("ratios %+v of %d rounds", r.Ratio, len(r.PerRound))
	}
}

// What is no output of wordcount is an error that shows it.
func TestOtherProgram(t *testing.T) {
	c := &course{program: program{path: "/bin/echo"}, dir: t.TempDir(), keys: 1}
	if _, err := c.measure(t.Context(), 1, nil); err == nil || !strings.Contains(err.Error(), "has no counts") {
		t.Errorf("got %v", err)
	}
}

func TestParseStatus(t *testing.T) {
	s, err := parseStatus("wordcount 00:01 running: 1,059,009 records/s, p50 441 µs, p99 4.4 ms, epoch 1, restarts 0, state 1,000,000 entries 46.9 MiB; are 1,009, babeba 9\n")
	if err != nil || s != (status{1_000_000, 1009}) {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestMedian(t *testing.T) {
	rounds := []round{{startNS: 4}, {startNS: 1}, {startNS: 3}, {startNS: 100}}
	of := func(r round) float64 { return float64(r.startNS) }
	if even, odd := median(rounds, of), median(rounds[:3], of); even != 3.5 || odd != 3 {
		t.Errorf("got %g and %g, want 3.5 and 3", even, odd)
	}
}
