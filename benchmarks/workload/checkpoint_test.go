package workload

import (
	"testing"
	"time"
)

// changed counts the keys that change in the second interval.
func changed(t *testing.T, l Load, interval time.Duration) int {
	t.Helper()
	g := unfilled(l)
	const step = 50 * time.Microsecond // a batch per step in the closed loop: 5 M records/s
	keys := map[int64]bool{}
	for at := interval; at < 2*interval; at += step {
		for _, r := range take(g, 1000+int64(at)) {
			keys[r.Value.Val] = true
		}
	}
	return len(keys)
}

func TestEpochsFindTheIntendedNumberOfKeysChanged(t *testing.T) {
	for _, c := range []struct {
		name     string
		load     Load
		interval time.Duration
	}{
		{"throughput", CheckpointThroughput(), ThroughputInterval},
		{"latency", CheckpointLatency(), LatencyInterval},
	} {
		// The closed loop draws 512,000 times, so all but about two of the keys come.
		if n := changed(t, c.load, c.interval); n < ChangedKeys-20 || n > ChangedKeys {
			t.Errorf("%s: %d keys change in an interval, want %d", c.name, n, ChangedKeys)
		}
	}
	if r := CheckpointLatency().RatePerSecond; r != 100_000 {
		t.Errorf("rate is %v records/s, want 100000", r)
	}
}
