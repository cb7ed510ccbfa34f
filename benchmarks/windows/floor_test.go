package main

import (
	"context"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/internal/invariants"
)

func TestMain(m *testing.M) {
	harness.ServePacer()
	goleak.VerifyTestMain(m)
}

// model adds every record to every window it is in.
func model(n int64) (e timed.End) {
	type window struct {
		key     string
		startNS int64
	}
	sums := map[window]int64{}
	for i := range n {
		v := timed.Number(i)
		for at := v.AtNS / int64(slide) * int64(slide); at > v.AtNS-int64(size); at -= int64(slide) {
			sums[window{v.Key, at}] += v.Val
		}
	}
	for w, sum := range sums {
		e.Row(timed.KeyHash(w.key), w.startNS, sum)
	}
	return e
}

func TestBothGiveThePanesOfAModel(t *testing.T) {
	for _, n := range []int64{1, 300, invariants.Sized[int64](20_000, 3_000)} {
		want := model(n)
		for name, j := range map[string]job{"floor": runFloor, "millrace": runMillrace} {
			_, got, err := j.throughput(t.Context(), n)
			if err != nil {
				t.Fatalf("%s, %d records: %v", name, n, err)
			}
			if got != want {
				t.Errorf("%s, %d records: %d panes of hash %016x, want %d of %016x", name, n, got.Rows, got.Hash(), want.Rows, want.Hash())
			}
		}
	}
}

func TestBothKeepToASchedule(t *testing.T) {
	for name, j := range map[string]job{"floor": runFloor, "millrace": runMillrace} {
		g, err := newGenerator(0, true)
		if err != nil {
			t.Fatal(err)
		}
		g.fill = invariants.Sized(fillRecords, 1000)
		// The race detector leaves a busy machine too little time for the schedule: then no window ends.
		g.stepNS *= invariants.Sized[int64](1, 8)
		s, err := j.paced(t.Context(), g, harness.Options{Seconds: invariants.Sized(0.5, 2)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Latency.TotalCount() == 0 || s.Records == 0 {
			t.Errorf("%s: nothing measured: %+v", name, s)
		}
	}
}

// The queue of two stacks against a plain sum, with gaps and records out of order.
func TestWindowsOfAKey(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var k windows
	sums := map[int64]int64{}
	for last := range int64(2000) {
		for range rng.IntN(4) {
			number, val := last+rng.Int64N(3), rng.Int64N(100)
			if last%500 < 150 { // longer than a window
				continue
			}
			k.add(number, val)
			sums[number] += val
		}
		first := last - slices + 1
		var want int64
		any := false
		for n := first; n <= last; n++ {
			if v, ok := sums[n]; ok {
				want, any = want+v, true
			}
		}
		if got, ok := k.close(last, first); got != want || ok != any {
			t.Fatalf("seed %d: slices %d to %d: %d, %t, want %d, %t", seed, first, last, got, ok, want, any)
		}
	}
}

// A window's latency counts from the time at which the event that moved the watermark past its end was due, however late it came.
func TestPassedIsTheIntendedTime(t *testing.T) {
	g := &generator{pacer: new(harness.Pacer), fill: fillRecords, stepNS: timed.StepNS, endNS: timed.StartNS} // a pacer that is never asked
	const begin, late = 1_000_000_000, 7_000_000
	for g.seq < fillRecords {
		for range g.Due(begin) {
			g.Next(begin)
		}
	}
	if got := g.Due(begin); got != 1 {
		t.Fatalf("%d events due at the start of the schedule, want 1", got)
	}
	first := g.endNS
	for g.endNS == first {
		now := begin + (g.seq-fillRecords)*timed.StepNS + late
		for range max(1, g.Due(now)) {
			if g.Next(now); g.endNS != first {
				break
			}
		}
	}
	if got, want := g.PassedNS(first), begin+(g.seq-1-fillRecords)*timed.StepNS; got != want {
		t.Errorf("passed at %d, want %d", got, want)
	}
}

func TestContestantsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := job(runFloor).latency(ctx, harness.Options{Seconds: 0.1}); err == nil {
		t.Error("no error of a cancelled measurement")
	}
}
