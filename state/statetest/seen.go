package statetest

import (
	"maps"
	"math"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/state"
)

// testSeen does random things to a set of keys with ends and to a map.
func testSeen[K comparable](e *env, key func(i int) K) {
	keys, err := codec.KeyOf[K]()
	e.must(err)
	declare := func(s *state.Store) *state.Seen[K] {
		x, err := state.NewSeen[K](s, "op", "seen", 10*time.Second)
		e.must(err)
		return x
	}
	s := e.whole()
	x := declare(s)
	model, now := map[K]int64{}, int64(-3e9)
	add := func(x *state.Seen[K], model map[K]int64, k K, until int64) {
		was, ok := model[k]
		ok = ok && was > now
		if !ok {
			was = until
		}
		if got, fresh := x.Add(keys.Hash(k), k, now, until); got != was || fresh == ok {
			e.fatalf("Add of %v until %d at %d: %d, %v; want %d, %v", k, until, now, got, fresh, was, !ok)
		}
		model[k] = was
	}
	var h history
	var cut map[K]int64
	frozen := false
	many := 1 + e.rnd.IntN(400)
	for range actions(3000) {
		switch e.rnd.IntN(10) {
		case 0:
			now += e.rnd.Int64N(int64(time.Second))
			for x.Forget(now, 1+e.rnd.IntN(10)) {
			}
		case 1:
			h.snap(e, s, &frozen, func() { cut = maps.Clone(model) }, func() {
				if e.rnd.IntN(4) > 0 {
					return
				}
				var xs []*state.Seen[K]
				stores := h.restore(e, func(s *state.Store) { xs = append(xs, declare(s)) })
				for k := range cut {
					i := flow.TaskOf(flow.GroupOf(keys.Hash(k), keyGroups), keyGroups, len(stores))
					add(xs[i], cut, k, now+1)
				}
				for _, x := range xs {
					checkForgotten(e, x)
				}
			})
		default:
			add(x, model, key(e.rnd.IntN(many)), now+e.rnd.Int64N(int64(5*time.Second)))
		}
	}
	checkForgotten(e, x)
}

// checkForgotten: in memory nothing is left when all times have come.
func checkForgotten[K comparable](e *env, x *state.Seen[K]) {
	for x.Forget(math.MaxInt64, 100) {
	}
	if n := x.Len(); n > 0 && e.open(e.t) == nil {
		e.fatalf("%d keys are left when all are forgotten", n)
	}
}

// testSeenBounded: a set of keys that go by is no larger than those whose times have not come, and a share of others.
func testSeenBounded(e *env) {
	keys, err := codec.KeyOf[int64]()
	e.must(err)
	x, err := state.NewSeen[int64](e.whole(), "op", "seen", time.Second)
	e.must(err)
	live := invariants.Sized[int64](1000, 250)
	all := live * invariants.Sized[int64](20, 8)
	for i := range all {
		x.Add(keys.Hash(i), i, i*1e6, (i+live)*1e6)
		for x.Forget(i*1e6, 256) {
		}
		if int64(x.Len()) > live*3/2+100 {
			e.fatalf("%d keys are kept at %d, of which %d may be needed", x.Len(), i, live)
		}
	}
}
