package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
)

func TestMain(m *testing.M) {
	serveChild()
	goleak.VerifyTestMain(m)
}

// A whole course in small, with all processes: every figure is there, and the order of the contestants does not matter.
func TestCourse(t *testing.T) {
	c := &course{rate: 2000, window: 300 * time.Millisecond, warmUp: 100 * time.Millisecond}
	if err := c.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := c.measure(t.Context(), 2, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
	for i, r := range all {
		for name, s := range map[string]sample{oneProcess: r.one, twoWorkers: r.spread, messageEach: r.messages} {
			if s.records <= 0 || s.cpuNS <= 0 || s.rate != 0 {
				t.Errorf("round %d, %s: %+v", i, name, s)
			}
		}
		if r.spread.homeNS <= 0 || r.spread.serverNS <= 0 || r.one.homeNS != 0 || r.messages.homeNS != 0 {
			t.Errorf("round %d: CPU of the wrong processes: %+v", i, r)
		}
		for name, s := range map[string]sample{oneProcess: r.oneLatency, twoWorkers: r.spreadLate} {
			if s.rate != c.rate || s.records <= 0 || s.p50NS <= 0 || s.p50NS > s.p99NS || s.p99NS > s.p999NS {
				t.Errorf("round %d, latency of %s: %+v", i, name, s)
			}
		}
	}
}

// A child that fails is an error that says why, and so is one that the parent knows nothing of.
func TestChildrenSayWhyTheyEnd(t *testing.T) {
	for want, r := range map[string]role{
		"no servers available":  {Kind: kindWorker, URL: "nats://127.0.0.1:1"},
		`no child is a "baker"`: {Kind: "baker"},
	} {
		if _, err := start(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", r.Kind, err, want)
		}
	}
}

// batch is one of rows that were due a millisecond ago.
func batch(rows ...row) *flow.Batch[row] {
	b := &flow.Batch[row]{}
	for _, r := range rows {
		b.Records = append(b.Records, flow.Record[row]{TimeNS: time.Now().Add(-time.Millisecond).UnixNano(), Value: r})
	}
	return b
}

// A count that is lost, repeated or out of order ends the benchmark, for the job and for the contestant by hand.
func TestMeterNotices(t *testing.T) {
	for name, rows := range map[string][]row{"lost": {{"a", 1}, {"a", 3}}, "repeated": {{"a", 1}, {"b", 1}, {"a", 1}}, "out of order": {{"a", 2}, {"a", 1}}} {
		if err := newMeter().Write(context.Background(), batch(rows...)); err == nil || !strings.Contains(err.Error(), "lost, repeated or out of order") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	counts, message := map[string]int64{}, append(make([]byte, headBytes), "key"...)
	if err := countOne(counts, message, 0); err != nil || counts["key"] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
	if err := countOne(counts, message, 1); err == nil {
		t.Error("a repeated message was counted")
	}
	if err := countOne(counts, message[:headBytes], 0); err == nil {
		t.Error("a message without a key was counted")
	}
}

// Latencies are those since the window began, rows are all.
func TestMeter(t *testing.T) {
	m := newMeter()
	if err := m.Write(context.Background(), batch(row{"a", 1}, row{"b", 1})); err != nil {
		t.Fatal(err)
	}
	m.begin()
	var r reading
	if m.tell(&r); r.Rows != 2 || r.P99NS != 0 {
		t.Errorf("behind the warm-up: %+v", r)
	}
	if err := m.Write(context.Background(), batch(row{"a", 2})); err != nil {
		t.Fatal(err)
	}
	if m.tell(&r); r.Rows != 3 || r.P50NS < 990_000 || r.P50NS > int64(time.Minute) {
		t.Errorf("in the window: %+v", r)
	}
}

// roundOf is a round of a second in which each contestant used both cores.
func roundOf(one, spread, messages int64, oneP99, spreadP99 time.Duration) round {
	closed := func(records int64) sample { return sample{records: records, elapsedNS: 1e9, cpuNS: 1e9} }
	open := func(p99 time.Duration) sample {
		return sample{records: 1000, elapsedNS: 1e9, cpuNS: 1e8, rate: 1000, p50NS: int64(p99) / 2, p99NS: int64(p99), p999NS: int64(p99)}
	}
	r := round{closed(one), closed(spread), closed(messages), open(oneP99), open(spreadP99)}
	r.spread.serverNS, r.spread.homeNS = 5e8, 5e8
	return r
}

// Ratios are medians of the rounds', and latencies those of the rounds that count.
func TestReport(t *testing.T) {
	const m = 1_000_000
	all := []round{
		roundOf(4*m, 2*m, m/4, time.Millisecond, 2*time.Millisecond),
		roundOf(4*m, 1*m, m/4, 4*time.Millisecond, 90*time.Millisecond), // a busy machine
		roundOf(4*m, 2*m, m/2, time.Millisecond, 4*time.Millisecond),
	}
	r := newReport(harness.Options{}, 1000, all)
	near := func(got harness.Figure, want float64) bool { return math.Abs(float64(got)-want) < 1e-9 }
	if !near(r.Ratio.CPU, 2) || !near(r.Ratio.Throughput, 4) || !near(r.Ratio.Crossing, 2) || !near(r.Ratio.PerCore, 2) || !near(r.Ratio.OverOne, 0.5) {
		t.Errorf("ratios %+v", r.Ratio)
	}
	if !near(r.P99MS, 3) || !near(r.P50MS, 1.5) || !near(r.Ratio.P99OneProcess, 3) || r.Rounds != (counted{Measured: 3, Latency: 2}) {
		t.Errorf("p50 %v, p99 %v, %+v, rounds %+v", r.P50MS, r.P99MS, r.Ratio, r.Rounds)
	}
	if !r.Met["cpu"] || r.Met["throughput"] || !r.Met["p99_ms"] {
		t.Errorf("met: %v", r.Met)
	}
	all[2].spreadLate.foreignCores = 1
	if r = newReport(harness.Options{}, 1000, all); r.Rounds.Latency != 1 || !near(r.P99MS, 2) {
		t.Errorf("others on the machine: %+v, p99 %v", r.Rounds, r.P99MS)
	}
	all[0].spreadLate.records = 900
	if r = newReport(harness.Options{}, 1000, all); r.Rounds.NotSustained != 1 || r.Met["p99_ms"] {
		t.Errorf("behind its schedule: %+v, met: %v", r.Rounds, r.Met)
	}
}

// The last line is the JSON; without a round that counts for latency none is claimed.
func TestPublish(t *testing.T) {
	var out bytes.Buffer
	if err := publish(&out, newReport(harness.Options{}, 1000, []round{roundOf(1, 1, 1, time.Second, 1)}), true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var read struct {
		Ratio map[string]float64
		P99   *float64 `json:"p99_ms"`
		Met   map[string]bool
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &read); err != nil || read.Ratio["cpu"] != 1 || read.P99 != nil || read.Met["p99_ms"] {
		t.Errorf("%v: %+v", err, read)
	}
	if !strings.Contains(out.String(), "1 rounds, 0 count for latency") {
		t.Errorf("the table does not say what counts:\n%s", out.String())
	}
}

// Each key is drawn about as often as any other, and the same for the same record.
func TestLoad(t *testing.T) {
	if n := (load{Suffix: "00"}).rowsOf(); n != 100 {
		t.Errorf("a row for %d records, want 100", n)
	}
	keys := []string{"a", "b", "c", "d"}
	seen := map[string]int{}
	for i := range int64(4000) {
		if e := draw(keys, i); e != draw(keys, i) || e.Val != i {
			t.Fatalf("record %d is %+v", i, e)
		}
		seen[draw(keys, i).Key]++
	}
	for key, n := range seen {
		if n < 900 || n > 1100 {
			t.Errorf("key %s was drawn %d times of 4000, want about 1000", key, n)
		}
	}
}
