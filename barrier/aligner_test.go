package barrier_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

func TestAlignerStories(t *testing.T) {
	stories(t, "align_*.txt", func() machine { return &alignerMachine{} })
}

// alignerMachine knows: aligner lanes= mode=, barrier lane= epoch=, ahead epoch=.
type alignerMachine struct{ a *barrier.Aligner }

func (m *alignerMachine) run(c command) ([]string, error) {
	switch c.name {
	case "aligner":
		mode := barrier.ExactlyOnce
		if c.args["mode"] == barrier.AtLeastOnce.String() {
			mode = barrier.AtLeastOnce
		}
		m.a = barrier.NewAligner(int(c.num("lanes", 1)), mode)
		return []string{"ok"}, nil
	case "barrier":
		lane := int(c.num("lane", 0))
		return []string{show(lane, m.a.Barrier(lane, flow.Epoch(c.num("epoch", 0))))}, nil
	case "ahead":
		if e := m.a.Ahead(flow.Epoch(c.num("epoch", 0))); e != 0 {
			return []string{fmt.Sprintf("snapshot epoch=%d late=%d", e, m.a.Late())}, nil
		}
		return []string{"nothing"}, nil
	}
	return nil, fmt.Errorf("unknown command %q", c.name)
}

func show(lane int, a barrier.Action) string {
	switch {
	case a.Violation != nil:
		return "violation: " + a.Violation.Error()
	case a.Snapshot != 0:
		return fmt.Sprintf("snapshot epoch=%d", a.Snapshot)
	case a.Late:
		return fmt.Sprintf("late lane=%d", lane)
	case a.Mask:
		return fmt.Sprintf("mask lane=%d", lane)
	}
	return "read on"
}

// Lanes are read in any order the masks allow; each epoch is cut once, in order, when the last lane has shown it.
func TestAlignerAnyOrder(t *testing.T) {
	for _, mode := range []barrier.Mode{barrier.ExactlyOnce, barrier.AtLeastOnce} {
		for seed := range uint64(200) {
			t.Run(fmt.Sprintf("%v/seed=%d", mode, seed), func(t *testing.T) {
				anyOrder(t, rand.New(rand.NewPCG(seed, 1)), mode)
			})
		}
	}
}

func anyOrder(t *testing.T, rnd *rand.Rand, mode barrier.Mode) {
	const epochs = 20
	lanes, first := 1+rnd.IntN(9), flow.Epoch(1+rnd.IntN(5))
	a := barrier.NewAligner(lanes, mode)
	shown := make([]flow.Epoch, lanes) // by lane: how many epochs it has shown
	masked := make([]bool, lanes)
	var cut flow.Epoch // how many epochs were cut
	for cut < epochs {
		lane := rnd.IntN(lanes)
		if masked[lane] || shown[lane] == epochs {
			continue
		}
		shown[lane]++
		got := a.Barrier(lane, first+shown[lane]-1)

		all := true // the model: an epoch is cut when no lane is behind it
		for _, s := range shown {
			all = all && s > cut
		}
		want := barrier.Action{Mask: mode == barrier.ExactlyOnce && !all}
		if all {
			want.Snapshot = first + cut
			cut++
			clear(masked)
		}
		if got != want {
			t.Fatalf("lane %d shows epoch %d of lanes %v: got %+v, want %+v", lane, first+shown[lane]-1, shown, got, want)
		}
		masked[lane] = got.Mask
	}
}

// With cuts ahead of barriers each epoch is still cut once and in order, and each lane is late at most once an epoch: when it shows
// an epoch that was cut without it.
func TestAlignerCutsAhead(t *testing.T) {
	for seed := range uint64(500) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { cutsAhead(t, rand.New(rand.NewPCG(seed, 3))) })
	}
}

func cutsAhead(t *testing.T, rnd *rand.Rand) {
	const epochs = 20
	lanes, first := 1+rnd.IntN(6), flow.Epoch(1+rnd.IntN(5))
	a := barrier.NewAligner(lanes, barrier.ExactlyOnce)
	shown, masked := make([]flow.Epoch, lanes), make([]bool, lanes)
	var cut flow.Epoch
	for cut < epochs || slices.Min(shown) < epochs {
		late := 0
		for _, s := range shown {
			if s < cut {
				late++
			}
		}
		if got := a.Late(); got != late {
			t.Fatalf("%d lanes late, want %d: cut %d of lanes %v", got, late, cut, shown)
		}
		if rnd.IntN(5) == 0 && cut < epochs {
			want := flow.Epoch(0)
			if late == 0 {
				want = first + cut
			}
			if got := a.Ahead(first + cut); got != want {
				t.Fatalf("ahead of epoch %d: got %d, want %d with %d late", first+cut, got, want, late)
			}
			if want != 0 {
				cut++
				clear(masked)
			}
			continue
		}
		lane := rnd.IntN(lanes)
		if masked[lane] || shown[lane] == epochs {
			continue
		}
		shown[lane]++
		got := a.Barrier(lane, first+shown[lane]-1)
		var want barrier.Action
		switch {
		case shown[lane] <= cut:
			want.Late = true
		case slices.Min(shown) > cut:
			want.Snapshot = first + cut
			cut++
			clear(masked)
		default:
			want.Mask = true
			masked[lane] = true
		}
		if got != want {
			t.Fatalf("lane %d shows epoch %d of lanes %v, cut %d: got %+v, want %+v", lane, first+shown[lane]-1, shown, cut, got, want)
		}
	}
}

func TestAlignerAllocatesNothing(t *testing.T) {
	const lanes = 16
	a, e := barrier.NewAligner(lanes, barrier.ExactlyOnce), flow.Epoch(0)
	allocs := testing.AllocsPerRun(100, func() {
		e++
		for lane := range lanes {
			if got := a.Barrier(lane, e); got.Violation != nil {
				t.Fatal(got.Violation)
			}
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations an epoch, want 0", allocs)
	}
}

func BenchmarkAligner(b *testing.B) {
	b.ReportAllocs()
	const lanes = 16
	a, e := barrier.NewAligner(lanes, barrier.ExactlyOnce), flow.Epoch(1)
	lane := 0
	for b.Loop() {
		a.Barrier(lane, e)
		if lane++; lane == lanes {
			lane, e = 0, e+1
		}
	}
}
