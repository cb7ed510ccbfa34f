package statetest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/state"
)

const keyGroups = 8

// Run runs the suite. open gives empty byte stores for one task, or nil for state in memory; it is called once for each store
// and may register its clean-up with t. The environment variable MILLRACE_SEED repeats a run.
func Run(t *testing.T, open func(t testing.TB) state.ByteStores) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MILLRACE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("MILLRACE_SEED: %v", err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with MILLRACE_SEED=%d", seed)
		}
	})
	run := func(name string, f func(e *env)) {
		t.Run(name, func(t *testing.T) {
			for round := range invariants.Sized[uint64](4, 2) {
				f(&env{t: t, open: open, rnd: rand.New(rand.NewPCG(seed, round)), clock: &state.Clock{NowNS: 1e18}})
			}
		})
	}
	runTables(run)
	run("value", testValue)
	run("list", testList)
	run("map", testMap)
	run("timers", testTimers)
	run("timers of many keys", testTimerKeys)
	run("sides of strings", func(e *env) { testSides(e, func(i int) string { return "key of some length " + strconv.Itoa(i) }) })
	run("sides of numbers", func(e *env) { testSides(e, func(i int) int64 { return int64(i) }) })
	run("sides of structs with strings", func(e *env) { testSides(e, func(i int) person { return person{strconv.Itoa(i / 3), int32(i % 3)} }) })
	run("seen strings", func(e *env) { testSeen(e, func(i int) string { return "key of some length " + strconv.Itoa(i) }) })
	run("seen numbers", func(e *env) { testSeen(e, func(i int) int64 { return int64(i) }) })
	run("seen structs with strings", func(e *env) { testSeen(e, func(i int) person { return person{strconv.Itoa(i / 3), int32(i % 3)} }) })
	run("seen is bounded", testSeenBounded)
	run("cursor", testCursor)
	run("long keys", testLongKeys)
}

// env is one round of a test.
type env struct {
	t     *testing.T
	open  func(t testing.TB) state.ByteStores
	rnd   *rand.Rand
	clock *state.Clock
}

func (e *env) store(groups flow.GroupRange) *state.Store {
	return state.NewStore(state.Options{
		Groups: groups, KeyGroups: keyGroups, Clock: e.clock, Bytes: e.open(e.t), CacheBytes: 1 << (9 + e.rnd.IntN(6)),
	})
}

func (e *env) whole() *state.Store { return e.store(flow.GroupRange{Lo: 0, Hi: keyGroups}) }

// actions is how many random things a round does: fewer in a build with checks.
func actions(n int) int { return invariants.Sized(n, n/3) }

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// history is the blocks of all snapshots so far, and folds them at times as a checkpoint does.
type history struct{ blocks []delta.Block }

// snap does part of a snapshot: it begins one, goes on with it or ends it. cut is called right after Freeze, done with the
// snapshot in the history.
func (h *history) snap(e *env, s *state.Store, frozen *bool, cut, done func()) {
	switch {
	case !*frozen:
		s.Freeze()
		*frozen = true
		cut()
	case !s.Step(1 + e.rnd.IntN(20)):
	default:
		blocks := s.Take()
		for _, b := range blocks {
			b.Data = append([]byte(nil), b.Data...)
			h.blocks = append(h.blocks, b)
		}
		s.Recycle(blocks)
		*frozen = false
		done()
	}
}

// fold makes one base of all blocks, as a checkpoint does.
func (h *history) fold(e *env) {
	type id struct {
		operator, name string
		group          flow.KeyGroup
	}
	values, order := map[id]map[string][]byte{}, []id{}
	for _, b := range h.blocks {
		at := id{b.Operator, b.State, b.Group}
		if values[at] == nil {
			values[at] = map[string][]byte{}
			order = append(order, at)
		}
		n, data := 0, b.Data
		for ; len(data) > 0; n++ {
			key, value, deleted, rest, err := delta.Next(data)
			e.must(err)
			if data = rest; deleted {
				delete(values[at], string(key))
			} else {
				values[at][string(key)] = value
			}
		}
		if n != b.Count {
			e.t.Fatalf("block of %s/%s has %d entries, says %d", b.Operator, b.State, n, b.Count)
		}
	}
	h.blocks = nil
	for _, at := range order {
		base := delta.Block{Operator: at.operator, State: at.name, Group: at.group, Count: len(values[at])}
		for key, value := range values[at] {
			base.Data = delta.AppendPut(base.Data, []byte(key), value)
		}
		h.blocks = append(h.blocks, base)
	}
}

// restore applies the history to new stores, one for each of 1 to 4 tasks, after declare has made their states.
func (h *history) restore(e *env, declare func(s *state.Store)) []*state.Store {
	e.t.Helper()
	if e.rnd.IntN(2) == 0 {
		h.fold(e)
	}
	stores := make([]*state.Store, 1+e.rnd.IntN(4))
	for i := range stores {
		stores[i] = e.store(flow.RangeOf(i, keyGroups, len(stores)))
		declare(stores[i])
		for _, b := range h.blocks {
			e.must(stores[i].Restore(b))
		}
		e.must(stores[i].Restored())
	}
	return stores
}

func (e *env) fatalf(format string, args ...any) {
	e.t.Helper()
	e.t.Fatalf(format, args...)
}
