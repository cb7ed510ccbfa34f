package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
	"github.com/millrace-io/millrace/internal/invariants"
)

func TestMain(m *testing.M) {
	harness.ServePacer()
	goleak.VerifyTestMain(m)
}

func TestCasesGiveTheRowsOfTheirLoops(t *testing.T) {
	for _, c := range cases {
		for _, n := range []int64{1, 1000, invariants.Sized[int64](100_000, 10_000)} {
			var want, got timed.End
			c.Floor(n, &want)
			err := timed.Run(t.Context(), timed.OneSplit[timed.Event](timed.NewReader(n)), func(in millrace.Stream[timed.Event]) {
				c.Millrace(in, &got)
			})
			if err != nil {
				t.Fatalf("%s, %d records: %v", c.Name, n, err)
			}
			if got != want {
				t.Errorf("%s, %d records: %d rows of hash %016x, the loop gives %d of %016x", c.Name, n, got.Rows, got.Hash(), want.Rows, want.Hash())
			}
		}
	}
}

// Both contestants of the process case leave the rows that counting by hand gives.
func TestVisitsAgainstAMap(t *testing.T) {
	const n = 50_000
	type slot struct{ visit, number int64 }
	counts := map[slot]int64{}
	var want, got timed.End
	for i := range int64(n) {
		e := timed.Number(i)
		counts[slot{visitOf(e), e.AtNS / slotNS}]++
	}
	for s, count := range counts {
		want.Row(uint64(s.visit), dueNS(s.number*slotNS, s.visit), count)
	}
	processCases[0].Floor(n, &got)
	if got != want {
		t.Errorf("%d rows of hash %016x, want %d of %016x", got.Rows, got.Hash(), want.Rows, want.Hash())
	}
}

func TestProcessFloorForgets(t *testing.T) {
	f := &processFloor{visits: map[int64]*kept{}, end: new(timed.End)}
	f.list.before, f.list.after = &f.list, &f.list
	at := func(ns int64) {
		f.nowNS = ns
		f.add(timed.Event{AtNS: timed.StartNS, Val: ns & 1})
	}
	ttl := int64(visitTTL)
	at(0)
	at(1)
	at(2) // the first visit again
	f.advance(1+ttl, 0)
	if len(f.visits) != 1 || f.visits[visitOf(timed.Event{AtNS: timed.StartNS})] == nil {
		t.Errorf("%d visits are left, want the one whose last record is younger than its TTL", len(f.visits))
	}
	if f.advance(2+ttl, 0); len(f.visits) != 0 || f.list.after != &f.list {
		t.Errorf("%d visits are left, want none", len(f.visits))
	}
}

func TestTimerHeapSorts(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var h timerHeap
	var want []int64
	for i := range 1000 {
		switch at := rng.Int64N(5000); {
		case i%3 < 2 || len(h) == 0:
			h.push(timer{at, at})
			want = append(want, at)
		default:
			h.replace(timer{at, at})
			want[0] = at
		}
		slices.Sort(want)
		if h[0].atNS != want[0] {
			t.Fatalf("seed %d: first is %d, want %d", seed, h[0].atNS, want[0])
		}
	}
	for _, at := range want {
		if got := h.pop(); got.atNS != at || got.id != at {
			t.Fatalf("seed %d: popped %+v, want %d", seed, got, at)
		}
	}
	if len(h) != 0 {
		t.Errorf("seed %d: %d timers are left", seed, len(h))
	}
}

func TestStateThatKeepsEverythingCountsAsGrown(t *testing.T) {
	var level, leak []boundedStep
	for i := range int64(boundedSteps) {
		level = append(level, boundedStep{Entries: 1000 + i%7*100})
		leak = append(leak, boundedStep{Entries: 1000 * i})
	}
	if g := grown(level); !(g <= boundedGrowthMax) {
		t.Errorf("a level state has grown %v times", g)
	}
	if g := grown(leak); g <= boundedGrowthMax {
		t.Errorf("a state that keeps everything has grown %v times only", g)
	}
}

// paneWindow itself checks that about one pane leaves for each record, whatever the number of slides.
func TestPaneWindowMeasuresItsRecords(t *testing.T) {
	n := invariants.Sized[int64](200_000, 50_000)
	for _, slides := range []int{fewPanes, 20} {
		s, err := paneWindow(t.Context(), slides, n, paneCases[0].to)
		if err != nil {
			t.Fatal(err)
		}
		if s.Records < n || s.CPUNS <= 0 || s.ElapsedNS >= int64(time.Minute) {
			t.Errorf("%d slides: measured %+v, want %d records", slides, s, n)
		}
	}
}
