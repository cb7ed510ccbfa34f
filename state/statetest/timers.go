package statetest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

type timerModel struct {
	key  string
	name string
	atNS int64
}

func compareTimers(a, b timerModel) int {
	return cmp.Or(cmp.Compare(a.atNS, b.atNS), strings.Compare(a.key, b.key), strings.Compare(a.name, b.name))
}

// timerBed is timers under test with their names.
type timerBed struct {
	at    *state.At[string]
	x     *state.Timers[string]
	ids   map[string]state.TimerID
	names map[state.TimerID]string
}

func (e *env) timers(s *state.Store, names ...string) *timerBed {
	b := &timerBed{at: &state.At[string]{}, ids: map[string]state.TimerID{}, names: map[state.TimerID]string{}}
	var err error
	b.x, err = state.NewTimers(s, b.at, "op")
	e.must(err)
	for _, name := range names {
		id, err := b.x.Register(name, domainOf(name))
		e.must(err)
		b.ids[name], b.names[id] = id, name
	}
	return b
}

func domainOf(name string) state.TimerDomain {
	if strings.HasPrefix(name, "event") {
		return state.EventTime
	}
	return state.ProcessingTime
}

// due is the model's timers of a domain up to nowNS, in order.
func due(m map[timerModel]bool, d state.TimerDomain, nowNS int64) (all []timerModel) {
	for t := range m {
		if domainOf(t.name) == d && t.atNS <= nowNS {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, compareTimers)
	return all
}

// drain takes all that is due and compares it with want, in order.
func (b *timerBed) drain(e *env, keys *codec.Key[string], d state.TimerDomain, nowNS int64, want []timerModel) {
	e.t.Helper()
	for _, w := range want {
		if next := b.x.NextNS(d); next != w.atNS {
			e.fatalf("NextNS = %d, want %d", next, w.atNS)
		}
		key, hash, id, atNS, ok := b.x.Due(d, nowNS)
		if got := (timerModel{key, b.names[id], atNS}); !ok || got != w || hash != keys.Hash(key) {
			e.fatalf("Due = %v, %v, hash %x; want %v", got, ok, hash, w)
		}
	}
	if key, _, _, atNS, ok := b.x.Due(d, nowNS); ok {
		e.fatalf("Due = %q at %d when none is, now %d", key, atNS, nowNS)
	}
}

func testTimers(e *env) {
	keys, err := codec.KeyOf[string]()
	e.must(err)
	names := []string{"b", "a", "event", "event2"}
	s := e.whole()
	b := e.timers(s, names...)
	model, cut, frozen := map[timerModel]bool{}, map[timerModel]bool(nil), false
	now := [2]int64{-500, 0}
	var h history
	for range 6000 {
		k, name := fmt.Sprint(e.rnd.IntN(20)), names[e.rnd.IntN(len(names))]
		b.at.Key, b.at.Hash = k, keys.Hash(k)
		d := domainOf(name)
		m := timerModel{k, name, now[d] + e.rnd.Int64N(100)}
		switch n := e.rnd.IntN(20); {
		case n < 8:
			b.x.Set(b.ids[name], m.atNS)
			model[m] = true
		case n < 14:
			b.x.Delete(b.ids[name], m.atNS)
			delete(model, m)
		case n == 14:
			now[d] += e.rnd.Int64N(40)
			all := due(model, d, now[d])
			b.drain(e, keys, d, now[d], all)
			for _, t := range all {
				delete(model, t)
			}
		case n == 15 && e.rnd.IntN(10) == 0:
			checkTimes(e, b, model, k, name)
		case n > 17:
			h.snap(e, s, &frozen, func() { cut = maps.Clone(model) }, func() {
				if e.rnd.IntN(10) == 0 {
					checkTimers(e, &h, keys, names, cut)
				}
			})
		}
		if s.Entries() != len(model) {
			e.fatalf("%d timers, want %d", s.Entries(), len(model))
		}
	}
}

func checkTimes(e *env, b *timerBed, model map[timerModel]bool, key, name string) {
	e.t.Helper()
	var want []int64
	for t := range model {
		if t.key == key && t.name == name {
			want = append(want, t.atNS)
		}
	}
	slices.Sort(want)
	if got := slices.Collect(b.x.List(b.ids[name])); !slices.Equal(got, want) {
		e.fatalf("List of %q, %q is %v, want %v", key, name, got, want)
	}
}

func checkTimers(e *env, h *history, keys *codec.Key[string], names []string, cut map[timerModel]bool) {
	var beds []*timerBed
	stores := h.restore(e, func(s *state.Store) { beds = append(beds, e.timers(s, names...)) })
	for i, b := range beds {
		mine := map[timerModel]bool{}
		for t := range cut {
			if flow.TaskOf(flow.GroupOf(keys.Hash(t.key), keyGroups), keyGroups, len(stores)) == i {
				mine[t] = true
			}
		}
		for d := range state.TimerDomain(2) {
			b.drain(e, keys, d, math.MaxInt64, due(mine, d, math.MaxInt64))
			if next := b.x.NextNS(d); next != math.MaxInt64 {
				e.fatalf("NextNS of no timers is %d", next)
			}
		}
	}
}

// testTimerKeys: timers due at one instant come in the order of their keys, also for numbers below zero and keys made of bytes.
func testTimerKeys(e *env) {
	checkTimerKeys(e, func() int32 { return int32(e.rnd.Uint32()) }, true)
	checkTimerKeys(e, func() person { return person{fmt.Sprint(e.rnd.IntN(1e6)), int32(e.rnd.IntN(5))} }, false)
}

func checkTimerKeys[K comparable](e *env, key func() K, ordered bool) {
	keys, err := codec.KeyOf[K]()
	e.must(err)
	at := &state.At[K]{}
	x, err := state.NewTimers(e.whole(), at, "op")
	e.must(err)
	id, err := x.Register("t", state.EventTime)
	e.must(err)
	set := map[K]bool{}
	for range 3000 {
		at.Key = key()
		at.Hash = keys.Hash(at.Key)
		x.Set(id, 7)
		if set[at.Key] = true; e.rnd.IntN(3) == 0 {
			x.Delete(id, 7)
			delete(set, at.Key)
		}
	}
	var last K
	for n := range len(set) {
		k, hash, _, _, ok := x.Due(state.EventTime, 7)
		if !ok || !set[k] || hash != keys.Hash(k) || ordered && n > 0 && keys.Compare(last, k) >= 0 {
			e.fatalf("timer %d of %d: Due = %v, %v after %v", n, len(set), k, ok, last)
		}
		delete(set, k)
		last = k
	}
}
