package state_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/statetest"
)

type (
	itemV1 struct {
		Cents int32
		Note  string
	}
	itemV2 struct {
		Amount int64 `millrace:",alias=Cents"`
		Tags   []string
	}
)

// handles makes a value, a list and a map of V, with a timer, in one store.
type handles[V any] struct {
	store  *state.Store
	at     *state.At[string]
	value  *state.Value[V]
	list   *state.List[V]
	byDay  *state.Map[int16, V]
	timers *state.Timers[string]
	quiet  state.TimerID
}

func newHandles[V any](t *testing.T, o state.Options) *handles[V] {
	t.Helper()
	h := &handles[V]{store: state.NewStore(o), at: new(state.At[string])}
	var err error
	check := func(e error) {
		if t.Helper(); e != nil {
			t.Fatal(e)
		}
	}
	h.value, err = state.NewValue[V](h.store, h.at, "op", "value", time.Hour)
	check(err)
	h.list, err = state.NewList[V](h.store, h.at, "op", "list", time.Hour)
	check(err)
	h.byDay, err = state.NewMap[int16, V](h.store, h.at, "op", "map", time.Hour)
	check(err)
	h.timers, err = state.NewTimers(h.store, h.at, "op")
	check(err)
	h.quiet, err = h.timers.Register("quiet", state.ProcessingTime)
	check(err)
	return h
}

func (h *handles[V]) key(t *testing.T, k string) {
	keys, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	h.at.Hash, h.at.Key = keys.Hash(k), k
}

// rewritten is what a checkpoint hands over for blocks of an older version.
func rewritten(t *testing.T, blocks []delta.Block, was []delta.Schema, now *state.Store) (out []delta.Block, notes []*state.Evolution) {
	t.Helper()
	for _, b := range blocks {
		at := slices.IndexFunc(was, func(s delta.Schema) bool { return s.Operator == b.Operator && s.State == b.State })
		same := slices.Contains(now.Schemas(), was[at])
		n := delta.Block{Operator: b.Operator, State: b.State, Group: b.Group, Count: b.Count, Data: b.Data}
		if !same {
			e, err := now.Evolve(was[at])
			if err != nil {
				t.Fatal(err)
			}
			n.Data, notes = nil, append(notes, e)
			for rest := b.Data; len(rest) > 0; {
				key, value, deleted, after, err := delta.Next(rest)
				if err != nil || deleted {
					t.Fatal(err, deleted)
				}
				if value, err = e.Rewrite(nil, value); err != nil {
					t.Fatal(err)
				}
				n.Data, rest = delta.AppendPut(n.Data, key, value), after
			}
		}
		out = append(out, n)
	}
	return out, notes
}

// All handles keep their entries, their order and their times to live when the type of their values changes, in memory and on
// disk.
func TestHandlesEvolve(t *testing.T) {
	for name, bytes := range map[string]state.ByteStores{"memory": nil, "disk": statetest.MapStores{}} {
		t.Run(name, func(t *testing.T) {
			clock := &state.Clock{NowNS: 1}
			o := state.Options{Groups: flow.GroupRange{Lo: 0, Hi: 8}, KeyGroups: 8, Clock: clock}
			old := newHandles[itemV1](t, o)
			old.key(t, "ann")
			old.value.Set(itemV1{1, "gone"})
			old.list.Append(itemV1{2, ""}, itemV1{3, "gone"})
			clock.NowNS += int64(30 * time.Minute)
			old.list.Append(itemV1{4, ""})
			old.byDay.Set(7, itemV1{5, ""})
			old.byDay.Set(-7, itemV1{6, ""})
			old.timers.Set(old.quiet, 99)
			old.store.Freeze()
			old.store.Step(1000)

			o.Bytes = bytes
			now := newHandles[itemV2](t, o)
			blocks, notes := rewritten(t, old.store.Take(), old.store.Schemas(), now.store)
			for _, b := range blocks {
				if err := now.store.Restore(b); err != nil {
					t.Fatal(err)
				}
			}
			if err := now.store.Restored(); err != nil {
				t.Fatal(err)
			}
			if len(notes) == 0 || !slices.Equal(notes[0].Added, []string{"Tags"}) || !slices.Equal(notes[0].Dropped, []string{"Note"}) {
				t.Errorf("notes %+v", notes)
			}
			now.key(t, "ann")
			check := func(value bool, list []int64, days []int16) {
				t.Helper()
				if v, ok := now.value.Get(); ok != value || ok && v.Amount != 1 {
					t.Errorf("value %+v, %v", v, ok)
				}
				var got []int64
				for v := range now.list.All() {
					got = append(got, v.Amount)
				}
				if !slices.Equal(got, list) || now.list.Len() != len(list) {
					t.Errorf("list %v, want %v", got, list)
				}
				if got := slices.Collect(now.byDay.Keys()); !slices.Equal(got, days) {
					t.Errorf("map's keys %v, want %v", got, days)
				}
			}
			check(true, []int64{2, 3, 4}, []int16{7, -7})
			if got := slices.Collect(now.timers.List(now.quiet)); !slices.Equal(got, []int64{99}) {
				t.Errorf("timers %v", got)
			}
			clock.NowNS += int64(45 * time.Minute) // an hour and a quarter after the first writes
			check(false, []int64{4}, []int16{7, -7})
		})
	}
}

func TestEvolutionIsRefusedWithTheFieldsName(t *testing.T) {
	type narrow struct {
		Cents int8
		Note  string
	}
	old := newHandles[itemV1](t, state.Options{})
	now := newHandles[narrow](t, state.Options{})
	refusals := 0
	for _, s := range old.store.Schemas() {
		if slices.Contains(now.store.Schemas(), s) {
			continue
		}
		refusals++
		user, _, _ := strings.Cut(s.State, "/")
		want := `operator "op": state "` + user + `": field "Cents" was written as int32 and is now int8, which cannot hold it; keep the type it has, and add a field with a name of its own for the new one`
		if _, err := now.store.Evolve(s); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if refusals != 3 {
		t.Errorf("%d refusals, want those of value, list and map", refusals)
	}
	for _, was := range []delta.Schema{
		{Operator: "op", State: "timers/quiet", Value: `"long"`}, {Operator: "op", State: "gone", Value: `"long"`}, {Operator: "op", State: "value", Value: `damaged`},
	} {
		if _, err := now.store.Evolve(was); err == nil || !strings.Contains(err.Error(), `operator "op": state "`) {
			t.Errorf("%s: error %v", was.State, err)
		}
	}
}

// A handle of another kind is another state.
func TestAnotherHandleIsRefused(t *testing.T) {
	s, at := state.NewStore(state.Options{}), new(state.At[string])
	if _, err := state.NewList[itemV1](s, at, "op", "value", state.Forever); err != nil {
		t.Fatal(err)
	}
	if _, err := state.NewMap[int, itemV1](s, at, "op", "list", state.Forever); err != nil {
		t.Fatal(err)
	}
	for _, was := range newHandles[itemV1](t, state.Options{}).store.Schemas() {
		if was.State != "value" && was.State != "list" {
			continue
		}
		if _, err := s.Evolve(was); err == nil || !strings.Contains(err.Error(), "shares no field with it") {
			t.Errorf("%s: error %v", was.State, err)
		}
	}
}

// A value that the old schema does not allow is an error and no panic.
func TestRewriteOfDamagedValues(t *testing.T) {
	old, now := newHandles[itemV1](t, state.Options{}), newHandles[itemV2](t, state.Options{})
	e, err := now.store.Evolve(old.store.Schemas()[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "\x00", "\x00\x02\x02a\x00", "\x00\xff\xff\xff\xff\x7f\x02a"} {
		if _, err := e.Rewrite(nil, []byte(value)); err == nil {
			t.Errorf("no error for %q", value)
		}
	}
}
