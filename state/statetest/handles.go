package statetest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// mortal is a value of a model with its end; 0 never.
type mortal struct {
	v     string
	endNS int64
}

func (e *env) alive(m mortal) bool { return m.endNS == 0 || m.endNS > e.clock.NowNS }

func (e *env) end(ttl time.Duration) int64 {
	if ttl == state.Forever {
		return 0
	}
	return e.clock.NowNS + int64(ttl)
}

func (e *env) ttl() time.Duration {
	return []time.Duration{state.Forever, 40 * time.Second, 5 * time.Minute}[e.rnd.IntN(3)]
}

// handle is a handle under test with its model.
type handle interface {
	declare(e *env, s *state.Store, at *state.At[string])
	do(e *env, key string)    // a random operation on both
	check(e *env, key string) // compares the two
	copy() handle             // a copy of the model, not declared
	ttlOf() time.Duration
	setTTL(ttl time.Duration) // of a copy: another version of the job has another
}

// testHandle does random things to a handle, with time passing and snapshots, and compares it and what comes back.
func testHandle(e *env, x handle) {
	keys, err := codec.KeyOf[string]()
	e.must(err)
	at := &state.At[string]{}
	s := e.whole()
	x.declare(e, s, at)
	many := 1 + e.rnd.IntN(30)
	key := func(i int) string { return fmt.Sprint("user ", i) }
	point := func(at *state.At[string], k string) { at.Key, at.Hash = k, keys.Hash(k) }

	var h history
	var cut handle
	frozen := false
	for range actions(4000) {
		k := key(e.rnd.IntN(many))
		point(at, k)
		switch e.rnd.IntN(12) {
		case 0:
			e.clock.NowNS += e.rnd.Int64N(int64(8 * time.Second))
		case 1:
			s.Clean(1 + e.rnd.IntN(20))
		case 2:
			h.snap(e, s, &frozen, func() { cut = x.copy() }, func() {
				if e.rnd.IntN(8) == 0 {
					checkHandle(e, &h, cut, many, key, point)
				}
			})
		case 3, 4:
			x.check(e, k)
		default:
			x.do(e, k)
		}
	}
	for i := range many {
		point(at, key(i))
		x.check(e, key(i))
	}
	e.clock.NowNS += int64(time.Hour)
	if left := cleanAll(s); left > 0 && x.ttlOf() != state.Forever {
		e.fatalf("%d entries are left when all have expired and are cleaned", left)
	}
}

// cleanAll cleans until nothing is left, or long enough to be sure that it stays.
func cleanAll(s *state.Store) (left int) {
	for range 20000 {
		if s.Entries() == 0 {
			break
		}
		s.Clean(50)
	}
	return s.Entries()
}

func checkHandle(e *env, h *history, cut handle, many int, key func(int) string, point func(*state.At[string], string)) {
	ats := []*state.At[string]{}
	handles := []handle{}
	stores := h.restore(e, func(s *state.Store) {
		at, x := &state.At[string]{}, cut.copy()
		if e.rnd.IntN(2) == 0 {
			x.setTTL(e.ttl())
		}
		x.declare(e, s, at)
		ats, handles = append(ats, at), append(handles, x)
	})
	for i := range many {
		at := &state.At[string]{}
		point(at, key(i))
		task := flow.TaskOf(flow.GroupOf(at.Hash, keyGroups), keyGroups, len(stores))
		*ats[task] = *at
		handles[task].check(e, at.Key)
		for range 5 { // it works on, too
			handles[task].do(e, at.Key)
			handles[task].check(e, at.Key)
			e.clock.NowNS += e.rnd.Int64N(int64(30 * time.Second))
			handles[task].check(e, at.Key)
		}
		stores[task].Clean(3)
		handles[task].check(e, at.Key)
	}
}

type valueModel struct {
	x   *state.Value[string]
	ttl time.Duration
	m   map[string]mortal
}

func testValue(e *env) { testHandle(e, &valueModel{ttl: e.ttl(), m: map[string]mortal{}}) }

func (x *valueModel) declare(e *env, s *state.Store, at *state.At[string]) {
	var err error
	x.x, err = state.NewValue[string](s, at, "op", "value", x.ttl)
	e.must(err)
}

func (x *valueModel) copy() handle { return &valueModel{ttl: x.ttl, m: maps.Clone(x.m)} }

func (x *valueModel) do(e *env, key string) {
	v := fmt.Sprint(e.rnd.IntN(1000))
	switch e.rnd.IntN(5) {
	case 0:
		x.x.Clear()
		delete(x.m, key)
	case 1:
		old := x.m[key]
		if !e.alive(old) {
			old.v = ""
		}
		x.x.Update(func(was string) string {
			if was != old.v {
				e.fatalf("Update of %q got %q, want %q", key, was, old.v)
			}
			return was[:len(was)/2] + v
		})
		x.m[key] = mortal{old.v[:len(old.v)/2] + v, e.end(x.ttl)}
	default:
		x.x.Set(v)
		x.m[key] = mortal{v, e.end(x.ttl)}
	}
}

func (x *valueModel) check(e *env, key string) {
	e.t.Helper()
	want, exists := x.m[key]
	exists = exists && e.alive(want)
	if got, ok := x.x.Get(); ok != exists || ok && got != want.v {
		e.fatalf("Get of %q = %q, %v; want %q, %v", key, got, ok, want.v, exists)
	}
	if got := x.x.Exists(); got != exists {
		e.fatalf("Exists of %q = %v, want %v", key, got, exists)
	}
}

type listModel struct {
	x   *state.List[string]
	ttl time.Duration
	m   map[string][]mortal
}

func testList(e *env) { testHandle(e, &listModel{ttl: e.ttl(), m: map[string][]mortal{}}) }

func (x *listModel) declare(e *env, s *state.Store, at *state.At[string]) {
	var err error
	x.x, err = state.NewList[string](s, at, "op", "list", x.ttl)
	e.must(err)
}

func (x *listModel) copy() handle {
	c := &listModel{ttl: x.ttl, m: map[string][]mortal{}}
	for k, v := range x.m {
		c.m[k] = slices.Clone(v)
	}
	return c
}

func (x *listModel) do(e *env, key string) {
	var vs []string
	var ms []mortal
	for range e.rnd.IntN(4) {
		v := fmt.Sprint(e.rnd.IntN(1000))
		vs, ms = append(vs, v), append(ms, mortal{v, e.end(x.ttl)})
	}
	switch e.rnd.IntN(20) {
	case 0:
		x.x.Clear()
		delete(x.m, key)
	case 1:
		x.x.Put(vs...)
		x.m[key] = ms
	default:
		x.x.Append(vs...)
		x.m[key] = append(x.m[key], ms...)
	}
}

func (x *listModel) check(e *env, key string) {
	e.t.Helper()
	var want []string
	for _, m := range x.m[key] {
		if e.alive(m) {
			want = append(want, m.v)
		}
	}
	if got := slices.Collect(x.x.All()); !slices.Equal(got, want) || x.x.Len() != len(want) {
		e.fatalf("list of %q is %v, Len %d; want %v", key, got, x.x.Len(), want)
	}
	if x.x.Exists() != (len(want) > 0) {
		e.fatalf("Exists of %q = %v, the list is %v", key, x.x.Exists(), want)
	}
}

type mapModel struct {
	x   *state.Map[int32, string]
	ttl time.Duration
	m   map[string][]mapItem
}

type mapItem struct {
	key int32
	mortal
}

func testMap(e *env) { testHandle(e, &mapModel{ttl: e.ttl(), m: map[string][]mapItem{}}) }

func (x *mapModel) declare(e *env, s *state.Store, at *state.At[string]) {
	var err error
	x.x, err = state.NewMap[int32, string](s, at, "op", "map", x.ttl)
	e.must(err)
}

func (x *mapModel) copy() handle {
	c := &mapModel{ttl: x.ttl, m: map[string][]mapItem{}}
	for k, v := range x.m {
		c.m[k] = slices.Clone(v)
	}
	return c
}

func (x *mapModel) do(e *env, key string) {
	items := slices.DeleteFunc(x.m[key], func(m mapItem) bool { return !e.alive(m.mortal) })
	k, v := int32(e.rnd.IntN(12)), fmt.Sprint(e.rnd.IntN(1000))
	i := slices.IndexFunc(items, func(m mapItem) bool { return m.key == k })
	switch n := e.rnd.IntN(30); {
	case n == 0:
		x.x.Clear()
		items = nil
	case n < 10:
		if ok := x.x.Delete(k); ok != (i >= 0) {
			e.fatalf("Delete(%d) of %q = %v, want %v", k, key, ok, i >= 0)
		}
		if i >= 0 {
			items = slices.Delete(items, i, i+1)
		}
	default:
		x.x.Set(k, v)
		m := mapItem{k, mortal{v, e.end(x.ttl)}}
		if i >= 0 {
			items[i] = m
		} else {
			items = append(items, m)
		}
	}
	x.m[key] = items
}

func (x *mapModel) check(e *env, key string) {
	e.t.Helper()
	want, got := []string{}, []string{}
	has := map[int32]string{}
	for _, m := range x.m[key] {
		if e.alive(m.mortal) {
			want = append(want, fmt.Sprint(m.key, m.v))
			has[m.key] = m.v
		}
	}
	for k, v := range x.x.All() {
		got = append(got, fmt.Sprint(k, v))
	}
	if !slices.Equal(got, want) || x.x.Len() != len(want) {
		e.fatalf("map of %q is %v, Len %d; want %v", key, got, x.x.Len(), want)
	}
	if x.x.Exists() != (len(want) > 0) {
		e.fatalf("Exists of %q = %v, the map is %v", key, x.x.Exists(), want)
	}
	k := int32(e.rnd.IntN(12))
	v, ok := x.x.Get(k)
	if w, exists := has[k]; ok != exists || v != w || x.x.Contains(k) != exists {
		e.fatalf("Get(%d) of %q = %q, %v; want %q, %v", k, key, v, ok, w, exists)
	}
	if n := len(slices.Collect(x.x.Keys())) + len(slices.Collect(x.x.Values())); n != 2*len(want) {
		e.fatalf("keys and values of %q are %d, want %d", key, n, 2*len(want))
	}
}

func (x *valueModel) ttlOf() time.Duration { return x.ttl }
func (x *listModel) ttlOf() time.Duration  { return x.ttl }
func (x *mapModel) ttlOf() time.Duration   { return x.ttl }

func (x *valueModel) setTTL(ttl time.Duration) { x.ttl = ttl }
func (x *listModel) setTTL(ttl time.Duration)  { x.ttl = ttl }
func (x *mapModel) setTTL(ttl time.Duration)   { x.ttl = ttl }
