package workload

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/flow"
)

func TestMain(m *testing.M) {
	harness.ServePacer()
	goleak.VerifyTestMain(m)
}

// take gives the generator a turn at nowNS and returns its records.
func take(g *Generator, nowNS int64) []flow.Record[Event] {
	return g.Fill(nowNS, make([]flow.Record[Event], 0, turnRecordsMax))
}

// unfilled makes a generator without a pacer and without a fill.
func unfilled(l Load) *Generator {
	g := &Generator{load: l, rng: seed, set: uint64(l.SetKeys)}
	if l.RatePerSecond > 0 {
		g.periodNS = 1e9 / l.RatePerSecond
	}
	return g
}

// filled makes a generator without a pacer and takes its fill.
func filled(t *testing.T, l Load) *Generator {
	t.Helper()
	g := unfilled(l)
	g.fill = int64(len(l.Keys))
	seen := map[string]bool{}
	for len(seen) < len(l.Keys) {
		for _, r := range take(g, 1) {
			if seen[r.Value.Key] {
				t.Fatalf("the fill has key %q twice", r.Value.Key)
			}
			seen[r.Value.Key] = true
		}
	}
	return g
}

func TestScheduleFollowsTheClock(t *testing.T) {
	const start, period = int64(1_000_000), int64(10_000) // 100 k/s
	g := filled(t, Load{Keys: Keys(300), RatePerSecond: 100_000})
	if got := take(g, start); len(got) != 1 || got[0].TimeNS != start {
		t.Fatalf("first turn gives %d records, want the one due at its own time", len(got))
	}
	if got := take(g, start+period-1); len(got) != 0 {
		t.Fatalf("%d records before the second's time", len(got))
	}
	late := start + 5*period + 3
	got := take(g, late)
	if len(got) != 5 {
		t.Fatalf("late turn gives %d records, want 5", len(got))
	}
	for i, r := range got {
		if want := start + int64(i+1)*period; r.TimeNS != want || r.Value.EmitNS != late {
			t.Errorf("record %d: intended %d, emitted %d; want %d, %d", i, r.TimeNS, r.Value.EmitNS, want, late)
		}
	}
}

func TestVeryLateTurnIsBoundedAndLosesNothing(t *testing.T) {
	g := filled(t, Load{Keys: Keys(10), RatePerSecond: 100_000})
	n := len(take(g, 1000))
	const late = 1000 + 20_000_000 // 2000 records
	for {
		got := take(g, late)
		if len(got) == 0 {
			break
		}
		if len(got) > turnRecordsMax {
			t.Fatalf("a turn gives %d records, want at most %d", len(got), turnRecordsMax)
		}
		n += len(got)
	}
	if n != 2001 {
		t.Errorf("%d records, want 2001", n)
	}
}

func TestRecordsEnd(t *testing.T) {
	g := filled(t, Load{Keys: Keys(10), Records: 1000})
	n := 0
	for !g.Done() {
		n += len(take(g, harness.NowNS()))
	}
	if n != 1000 || len(take(g, harness.NowNS())) != 0 {
		t.Errorf("%d records, want 1000 and none behind", n)
	}
}

func TestStopWaitsForTheFill(t *testing.T) {
	g := &Generator{load: Load{Keys: Keys(300)}, rng: seed, fill: 300}
	g.Stop()
	if g.Done() {
		t.Fatal("done before the fill")
	}
	if n := len(take(g, 1)) + len(take(g, 1)); n != 300 || !g.Done() {
		t.Errorf("%d records of the fill, done %v; want 300 and done", n, g.Done())
	}
}

func TestRoundRobinChangesEveryKeyOnce(t *testing.T) {
	g := filled(t, Load{Keys: Keys(1000), Draw: RoundRobin, Records: 1000})
	seen := map[int64]bool{}
	for !g.Done() {
		for _, r := range take(g, 1) {
			seen[r.Value.Val] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("1000 records change %d keys, want 1000", len(seen))
	}
}

func TestSetMoves(t *testing.T) {
	const every = 100 * time.Millisecond
	g := filled(t, Load{Keys: Keys(1000), Draw: MovingSet, SetKeys: 300, SetEvery: every})
	for step, want := range [][2]int64{{0, 300}, {300, 600}, {600, 900}, {900, 1200}, {200, 500}} {
		seen := map[int64]bool{}
		for range 40 {
			for _, r := range take(g, 1000+int64(step)*int64(every)) {
				if v := r.Value.Val; (v+1000-want[0])%1000 >= 300 {
					t.Fatalf("step %d: key %d, want one of %d to %d (of 1000, going round)", step, v, want[0], want[1]-1)
				}
				seen[r.Value.Val] = true
			}
		}
		if len(seen) != 300 {
			t.Errorf("step %d: %d keys drawn, want all 300", step, len(seen))
		}
	}
}

func TestUniformDrawsAllKeysAlike(t *testing.T) {
	g := filled(t, Load{Keys: Keys(100)})
	counts := make([]int, 100)
	for range 400 {
		for _, r := range take(g, 1) {
			counts[r.Value.Val]++
		}
	}
	for i, n := range counts { // 1024 expected, standard deviation 32
		if n < 1024-200 || n > 1024+200 {
			t.Errorf("key %d came %d times of %d, want about 1024", i, n, 400*BatchRecords)
		}
	}
}

func TestSameLoadSameRecords(t *testing.T) {
	l := Load{Keys: Keys(1000)}
	a, b := filled(t, l), filled(t, l)
	for range 10 {
		x, y := take(a, 5), take(b, 5)
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("record %d: %+v and %+v", i, x[i], y[i])
			}
		}
	}
}

func TestBadLoads(t *testing.T) {
	for _, l := range []Load{
		{},
		{Keys: Keys(1), RatePerSecond: -1},
		{Keys: Keys(10), Draw: MovingSet, SetKeys: 11, SetEvery: time.Second},
		{Keys: Keys(10), Draw: MovingSet, SetKeys: 5},
	} {
		if g, err := l.New(); err == nil {
			t.Errorf("load %+v is taken: %v", l, g.Close())
		}
	}
}
