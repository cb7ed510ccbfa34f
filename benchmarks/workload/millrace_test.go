package workload

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
)

func TestKeyedCountCounts(t *testing.T) {
	l := Load{Keys: Keys(300)}
	want, err := Job(counted).Output(t.Context(), l, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]millrace.Config{
		"without checkpoints": {Guarantee: millrace.AtMostOnce},
		"with checkpoints":    {CheckpointEvery: 10 * time.Millisecond},
	} {
		got, err := KeyedCount(c).Output(t.Context(), l, 20_000)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != want {
			t.Errorf("%s: hash %016x, a Go map gives %016x", name, got, want)
		}
	}
}

func TestKeyedCountKeepsToASchedule(t *testing.T) {
	s, err := KeyedCount(millrace.Config{Guarantee: millrace.AtMostOnce}).
		Latency(t.Context(), Load{Keys: Keys(100), RatePerSecond: 10_000}, harness.Options{Seconds: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if s.Latency.TotalCount() == 0 || s.Hop.TotalCount() != s.Latency.TotalCount() {
		t.Errorf("%d latencies and %d hops, want as many of both", s.Latency.TotalCount(), s.Hop.TotalCount())
	}
}
