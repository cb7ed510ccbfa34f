package state_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// When a job comes back with a shorter time to live, what it writes is cleaned in its own time and does not wait for what the
// older version wrote.
func TestShorterTTLIsCleanedInTime(t *testing.T) {
	clock := &state.Clock{NowNS: 1}
	o := state.Options{Groups: flow.GroupRange{Lo: 0, Hi: 8}, KeyGroups: 8, Clock: clock}
	build := func(ttl time.Duration) (*state.Store, *handles[itemV1]) {
		h := &handles[itemV1]{store: state.NewStore(o), at: new(state.At[string])}
		var err error
		if h.value, err = state.NewValue[itemV1](h.store, h.at, "op", "value", ttl); err != nil {
			t.Fatal(err)
		}
		return h.store, h
	}
	s, old := build(1000 * time.Hour)
	for _, k := range []string{"a", "b", "c"} {
		old.key(t, k)
		old.value.Set(itemV1{})
	}
	s.Freeze()
	s.Step(100)
	s2, now := build(time.Minute)
	for _, b := range s.Take() {
		if err := s2.Restore(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s2.Restored(); err != nil {
		t.Fatal(err)
	}
	var removed int
	for second := range 400 { // of a second each: what a task does in turns with input and at rest
		clock.NowNS += int64(time.Second)
		if second%100 == 0 {
			now.key(t, fmt.Sprint(second))
			now.value.Set(itemV1{})
		}
		if s2.NextExpiryNS() <= clock.NowNS {
			removed += s2.CleanDue(10)
		}
	}
	if removed != 4 || s2.Entries() != 3 {
		t.Errorf("removed %d, %d entries left, want 4 and 3", removed, s2.Entries())
	}
	clock.NowNS += int64(1000 * time.Hour)
	for range 10 {
		removed += s2.CleanDue(10)
	}
	if removed != 7 || s2.Entries() != 0 {
		t.Errorf("at the end: removed %d, %d entries left, want 7 and none", removed, s2.Entries())
	}
}

// A time to live that ends behind the last instant that nanoseconds reach is as good as for ever.
func TestEndlessTTL(t *testing.T) {
	clock := &state.Clock{NowNS: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()}
	h := &handles[itemV1]{store: state.NewStore(state.Options{Groups: flow.GroupRange{Lo: 0, Hi: 8}, KeyGroups: 8, Clock: clock}), at: new(state.At[string])}
	var err error
	if h.value, err = state.NewValue[itemV1](h.store, h.at, "op", "value", math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	h.key(t, "a")
	h.value.Set(itemV1{})
	clock.NowNS += int64(200 * 365 * 24 * time.Hour)
	if n := h.store.CleanDue(10); n != 0 || !h.value.Exists() {
		t.Errorf("removed %d, exists %v", n, h.value.Exists())
	}
}
