//go:build !race

// The race detector and the invariants allocate on their own.

package state_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/state"
)

// Neither updates of known keys nor the handles over them allocate, with a snapshot running or not.
func TestNoAllocations(t *testing.T) {
	l := newLoad(t, 1000, name)
	s, table := newCounts(t, state.Options{Groups: allGroups}, l)
	at := &state.At[string]{}
	value := must(state.NewValue[int64](s, at, "op", "value", time.Hour))
	list := must(state.NewList[int64](s, at, "op", "list", time.Hour))
	pairs := must(state.NewMap[int64, int64](s, at, "op", "map", time.Hour))
	timers := must(state.NewTimers(s, at, "op"))
	id := must(timers.Register("t", state.EventTime))
	frozen := false
	turn := func() {
		for i, k := range l.keys[:100] {
			at.Hash, at.Key = l.hashes[i], k
			*table.At(at.Hash, k)++
			n, _ := value.Get()
			value.Set(n + 1)
			list.Clear()
			list.Append(1, 2)
			pairs.Set(n%2, n)
			timers.Set(id, n%3)
			timers.Delete(id, (n+1)%3)
		}
		if s.Step(50) {
			if frozen {
				s.Recycle(s.Take())
			}
			s.Freeze()
			frozen = true
		}
	}
	for range 20 {
		turn()
	}
	// Keys that come and go use up arenas, and the blocks are new here: a few for each 1,000 operations.
	if n := testing.AllocsPerRun(200, turn); n > 100 {
		t.Fatalf("%v allocations in a turn of 100 keys", n)
	}
	s.Step(1 << 30)
	s.Take()
	hot := func() {
		for i, k := range l.keys {
			*table.At(l.hashes[i], k)++
			at.Hash, at.Key = l.hashes[i%100], l.keys[i%100]
			n, _ := value.Get()
			value.Set(n + 1)
			n, _ = pairs.Get(1)
			pairs.Set(1, n+1)
			list.Len() // a loop over All allocates its body, as any iterator behind an interface
		}
	}
	hot()
	if n := testing.AllocsPerRun(20, hot); n != 0 {
		t.Fatalf("%v allocations in 1000 updates of each", n)
	}
}
