package workload

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
)

// counted is a job on the caller's goroutine, with a Go map.
func counted(_ context.Context, g *Generator, m *Meter) error {
	counts := map[string]int64{}
	var batch []flow.Record[Result]
	for !g.Done() {
		now := harness.NowNS()
		for range g.Due(now) {
			timeNS, e := g.Next(now)
			counts[e.Key]++
			batch = append(batch, flow.Record[Result]{TimeNS: timeNS, Value: Result{e.Key, e.EmitNS, counts[e.Key]}})
		}
		if len(batch) == 0 && g.OpenLoop() {
			if err := g.Wait(); err != nil {
				return err
			}
		}
		m.Write(harness.NowNS(), batch)
		batch = batch[:0]
	}
	return nil
}

func TestLatencyWindow(t *testing.T) {
	o := harness.Options{Rounds: 1, Seconds: 0.1}
	s, err := Job(counted).Latency(t.Context(), Load{Keys: Keys(100), RatePerSecond: 20_000}, o)
	if err != nil {
		t.Fatal(err)
	}
	if s.RatePerSecond != 20_000 || s.Latency.TotalCount() == 0 || s.Hop.TotalCount() != s.Latency.TotalCount() {
		t.Errorf("sample %+v: %d latencies, %d hops; want as many of both, at 20000/s", s, s.Latency.TotalCount(), s.Hop.TotalCount())
	}
	if l, h := s.Latency.ValueAtPercentile(50), s.Hop.ValueAtPercentile(50); l < h {
		t.Errorf("p50 from the intended time is %d ns, from the emission %d ns: time ran backwards", l, h)
	}
}

func TestLatencyNeedsARate(t *testing.T) {
	if _, err := Job(counted).Latency(t.Context(), Load{Keys: Keys(1)}, harness.Options{}); err == nil {
		t.Error("latency of a closed loop is taken")
	}
}

func TestThroughputWindow(t *testing.T) {
	s, err := Job(counted).Throughput(t.Context(), Load{Keys: Keys(100), RatePerSecond: 5}, harness.Options{Seconds: 0.05})
	if err != nil {
		t.Fatal(err)
	}
	if s.RatePerSecond != 0 || s.Latency != nil || s.Records < BatchRecords {
		t.Errorf("sample %+v: want a closed loop with many records", s)
	}
}

func TestJobThatFailsEndsTheWindow(t *testing.T) {
	broken := Job(func(context.Context, *Generator, *Meter) error { return errors.New("disk full") })
	_, err := broken.Throughput(t.Context(), Load{Keys: Keys(100)}, harness.Options{Seconds: 600})
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error is %v, want that of the job", err)
	}
}

func TestJobThatLosesRecordsIsFound(t *testing.T) {
	lossy := Job(func(ctx context.Context, g *Generator, m *Meter) error {
		g.Next(harness.NowNS()) // taken and dropped
		return counted(ctx, g, m)
	})
	_, err := lossy.Output(t.Context(), Load{Keys: Keys(100)}, 1000)
	if err == nil || !strings.Contains(err.Error(), "1099 records arrived, want 1100") {
		t.Errorf("error is %v, want that a record is missing", err)
	}
}

func TestHashCounts(t *testing.T) {
	a := map[string]int64{"x": 1, "y": 2, "z": 3}
	if HashCounts(a) != HashCounts(map[string]int64{"z": 3, "x": 1, "y": 2}) {
		t.Error("hash depends on the order")
	}
	for _, b := range []map[string]int64{{"x": 1, "y": 2}, {"x": 2, "y": 1, "z": 3}, {"x": 1, "y": 2, "z": 4}} {
		if HashCounts(a) == HashCounts(b) {
			t.Errorf("%v and %v have the same hash", a, b)
		}
	}
}
