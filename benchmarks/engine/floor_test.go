package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/workload"
	"github.com/millrace-io/millrace/codec"
)

func TestMain(m *testing.M) {
	harness.ServePacer()
	goleak.VerifyTestMain(m)
}

// model counts the load with a Go map.
func model(t *testing.T, l workload.Load) map[string]int64 {
	t.Helper()
	g, err := l.New()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for !g.Done() {
		now := harness.NowNS()
		for range g.Due(now) {
			_, e := g.Next(now)
			counts[e.Key]++
		}
	}
	return counts
}

func TestFloorCounts(t *testing.T) {
	for _, c := range []struct{ keys, records int }{{1, 1}, {3, 1000}, {257, 10_000}, {200_000, 300_000}} {
		l := workload.Load{Keys: workload.Keys(c.keys), Records: int64(c.records)}
		got, err := workload.Job(runFloor).Output(t.Context(), l, l.Records)
		if err != nil {
			t.Fatalf("%d keys, %d records: %v", c.keys, c.records, err)
		}
		if want := workload.HashCounts(model(t, l)); got != want {
			t.Errorf("%d keys, %d records: hash %016x, a Go map gives %016x", c.keys, c.records, got, want)
		}
	}
}

func TestFloorKeepsToASchedule(t *testing.T) {
	l := workload.Load{Keys: workload.Keys(100), RatePerSecond: 10_000}
	s, err := workload.Job(runFloor).Latency(t.Context(), l, harness.Options{Seconds: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if s.Latency.TotalCount() == 0 || s.Records == 0 {
		t.Errorf("nothing measured: %+v", s)
	}
}

func TestFloorDoesNotAllocatePerRecord(t *testing.T) {
	s, err := workload.Job(runFloor).Throughput(t.Context(), workload.Load{Keys: workload.Keys(1000)}, harness.Options{Seconds: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	// Under the race detector sync.Pool drops batches at random; one in four would be 4 objects in 512 records.
	if a := s.AllocsPerRecord(); a > 0.01 {
		t.Errorf("%v allocations per record, want none beyond a few batches", a)
	}
}

// weakHash lets one key in two share its tag with many others.
func weakHash(key string) uint64 {
	h := xxhash.Sum64String(key)
	if h&1 == 0 {
		h &= 0xf << 32
	}
	return h
}

func TestTableAgainstAMap(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	table, want := newTable(4), map[string]int64{}
	for range 20_000 {
		key := fmt.Sprint(rng.IntN(3000))
		*table.at(weakHash(key), key)++
		want[key]++
	}
	for key, n := range want {
		if got := *table.at(weakHash(key), key); got != n {
			t.Fatalf("seed %d: key %q has count %d, want %d", seed, key, got, n)
		}
	}
	if len(table.entries) != len(want) {
		t.Errorf("seed %d: %d entries, want %d", seed, len(table.entries), len(want))
	}
}

func TestFloorHashesAsTheEngineDoes(t *testing.T) {
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range workload.Keys(1000) {
		if got, want := xxhash.Sum64String(k), key.Hash(k); got != want {
			t.Fatalf("key %q: floor %016x, engine %016x", k, got, want)
		}
	}
}
