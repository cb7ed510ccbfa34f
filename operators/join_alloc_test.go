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

// Joins and dedup allocate nothing for records without pointers, once their tables have the size they need.
func TestJoinsAndDedupAllocateNothing(t *testing.T) {
	for name, declare := range map[string]func(*operators.Env) (func(int, click), error){
		"dedup": func(e *operators.Env) (func(int, click), error) {
			keys, _ := codec.KeyOf[clickKey]()
			f, err := operators.Dedup(e, "unique", click.exact, nil, func(click) {})
			return func(_ int, c click) { e.Hash = keys.Hash(c.exact()); f(c) }, err
		},
		"join": func(e *operators.Env) (func(int, click), error) { return joinClicks(e, operators.FullJoin) },
		"semi": func(e *operators.Env) (func(int, click), error) { return joinClicks(e, operators.SemiJoin) },
		"as of": func(e *operators.Env) (func(int, click), error) {
			keys, _ := codec.KeyOf[int64]()
			j, err := operators.NewAsOf(e, "as of", click.ad, click.ad, func(l, r click, _ bool) int64 { return l.Value + r.Value }, nil, func(int64) {})
			return func(i int, c click) {
				if e.Hash = keys.Hash(c.Ad); i&1 == 0 {
					j.Left(c)
				} else {
					j.Right(c)
				}
			}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &state.Clock{WatermarkNS: flow.NoWatermarkNS}
			e := volatileEnv(clock)
			f, err := declare(e)
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			some := func() {
				for range 10 * benchBatch {
					at := i & (len(benchClicks) - 1)
					c := benchClicks[at]
					c.Ad %= 500
					e.TimeNS = c.AtNS
					f(i, c)
					if i++; i%benchBatch == 0 {
						clock.WatermarkNS = max(clock.WatermarkNS, c.AtNS-benchJitter)
						fire(e)
					}
				}
			}
			for i < 400_000 {
				some()
			}
			entries := e.Store.Entries()
			if n := testing.AllocsPerRun(50, some); n > 5 { // growth of a buffer now and then
				t.Errorf("%v allocations for %d records", n, 10*benchBatch)
			}
			if now := e.Store.Entries(); now > entries*3/2+1000 {
				t.Errorf("%d entries, and %d a while later", entries, now)
			}
		})
	}
}

func joinClicks(e *operators.Env, kind operators.JoinKind) (func(int, click), error) {
	keys, _ := codec.KeyOf[int64]()
	j, err := operators.NewJoin(e, "join", kind, operators.Within{After: 5 * time.Second}, click.ad, click.ad,
		func(l click, _ bool, r click, _ bool) int64 { return l.Value + r.Value }, nil, func(int64) {})
	return func(i int, c click) {
		if e.Hash = keys.Hash(c.Ad); i&1 == 0 {
			j.Left(c)
		} else {
			j.Right(c)
		}
	}, err
}

// A key with 10,000 records of one side costs a record of the other no more than a key with 10, when they meet as many: the search
// is over times, and what comes out of order moves 16 bytes a record.
func TestHotKeysAreNotQuadratic(t *testing.T) {
	reads := func(kept int) float64 {
		clock := &state.Clock{WatermarkNS: flow.NoWatermarkNS}
		e := volatileEnv(clock)
		f, err := joinOne(e)
		if err != nil {
			t.Fatal(err)
		}
		for i := range kept {
			e.TimeNS = int64(i) * benchStepNS
			f.Left(click{1, e.TimeNS, 0})
		}
		best := time.Hour
		for range 5 {
			start := time.Now()
			for i := range 2000 {
				e.TimeNS = int64(i%kept) * benchStepNS
				f.Right(click{1, e.TimeNS, 0})
			}
			best = min(best, time.Since(start))
		}
		return float64(best) / 2000
	}
	if few, many := reads(10), reads(10_000); many > 30*few+20_000 {
		t.Errorf("%v ns a record beside 10 kept ones, %v ns beside 10,000", few, many)
	}
}

func joinOne(e *operators.Env) (*operators.Join[int64, click, click, int64], error) {
	return operators.NewJoin(e, "join", operators.SemiJoin, operators.Within{}, click.ad, click.ad,
		func(l click, _ bool, _ click, _ bool) int64 { return l.Value }, nil, func(int64) {})
}
