//go:build !race

// The race detector and the invariants allocate on their own.

package operators_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// A record of a key that is there allocates nothing, also where its accumulator has a time to live.
func TestFoldDoesNotAllocate(t *testing.T) {
	keys, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	key := func(v int64) int64 { return v }
	add := func(a *int64, v int64, _ bool) { *a += v }
	for name, ttl := range map[string]time.Duration{"for ever": state.Forever, "an hour": time.Hour} {
		for kind, fold := range map[string]func(*operators.Env, string, time.Duration, func(int64) int64, func(*int64, int64, bool), func(operators.Pair[int64, int64])) (func(int64), error){
			"newest": operators.Fold[int64, int64, int64], "before": operators.FoldBefore[int64, int64, int64],
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				clock := &state.Clock{NowNS: 1}
				e := &operators.Env{Clock: clock, Store: state.NewStore(state.Options{Groups: flow.RangeOf(0, flow.DefaultKeyGroups, 1), Clock: clock})}
				var sum int64
				f, err := fold(e, "sum", ttl, key, add, func(p operators.Pair[int64, int64]) { sum = p.Value })
				if err != nil {
					t.Fatal(err)
				}
				e.Hash = keys.Hash(7)
				f(7)
				if n := testing.AllocsPerRun(1000, func() { f(7) }); n != 0 || sum != 7*1002 {
					t.Errorf("%v allocations a record, sum %d, want 0 and %d", n, sum, 7*1002)
				}
			})
		}
	}
}
