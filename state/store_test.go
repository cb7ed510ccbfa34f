package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/statetest"
)

// A delta holds what changed and nothing else: 1 M keys, 1 k of them dirty, at most 200 kB.
func TestDeltaFollowsChanges(t *testing.T) {
	l := newLoad(t, 1_000_000, name)
	s, table := newCounts(t, state.Options{Groups: allGroups}, l)
	s.Recycle(snapshot(s))
	for i := range 1000 {
		if i%10 == 0 {
			table.Delete(l.hashes[i], l.keys[i])
		} else {
			*table.At(l.hashes[i], l.keys[i])++
		}
	}
	size, entries := 0, 0
	for _, b := range snapshot(s) {
		size += len(b.Data)
		entries += b.Count
	}
	if size > 200_000 || entries != 1000 {
		t.Fatalf("%d entries in %d bytes, want 1000 in at most 200000", entries, size)
	}
	t.Logf("%d bytes", size)
}

// What is made and removed within one epoch leaves no trace, however often.
func TestChurnLeavesNoTrace(t *testing.T) {
	l := newLoad(t, 100, name)
	s, table := newCounts(t, state.Options{Groups: allGroups}, load[string]{})
	for range 1000 {
		for i, k := range l.keys {
			*table.At(l.hashes[i], k) = 1
			table.Delete(l.hashes[i], k)
		}
	}
	if blocks := snapshot(s); len(blocks) > 0 {
		t.Fatalf("%d blocks of nothing: %v", len(blocks), blocks)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A value read from a handle may be changed in place before it is set: a running snapshot still has the old one.
func TestReadThenChangeInPlace(t *testing.T) {
	at := &state.At[string]{Key: "k"}
	at.Hash = must(codec.KeyOf[string]()).Hash("k")
	open := func() (*state.Store, *state.Value[[]int64], *state.Map[string, []int64]) {
		s := state.NewStore(state.Options{Groups: allGroups})
		return s, must(state.NewValue[[]int64](s, at, "op", "v", state.Forever)),
			must(state.NewMap[string, []int64](s, at, "op", "m", state.Forever))
	}
	s, v, m := open()
	v.Set([]int64{1})
	m.Set("x", []int64{1})
	s.Freeze()
	x, _ := v.Get()
	x[0] = 2
	v.Set(x)
	for k, x := range m.All() {
		x[0] = 2
		m.Set(k, x)
	}
	s.Step(1 << 20)
	restored, v2, m2 := open()
	for _, b := range s.Take() {
		if err := restored.Restore(b); err != nil {
			t.Fatal(err)
		}
	}
	if x, _ := v2.Get(); x[0] != 1 {
		t.Errorf("value in the snapshot is %d, want 1", x[0])
	}
	if x, _ := m2.Get("x"); x[0] != 1 {
		t.Errorf("map entry in the snapshot is %d, want 1", x[0])
	}
}

// A value lives for its time to live and not an instant longer; reading does not renew it, setting does. The clock moves on while
// the job is down.
func TestTimeToLive(t *testing.T) {
	clock := &state.Clock{NowNS: 1000}
	at := &state.At[string]{Key: "k"}
	at.Hash = must(codec.KeyOf[string]()).Hash("k")
	open := func() (*state.Store, *state.Value[int64]) {
		s := state.NewStore(state.Options{Groups: allGroups, Clock: clock})
		return s, must(state.NewValue[int64](s, at, "op", "v", 10))
	}
	s, v := open()
	has := func(want bool) {
		t.Helper()
		if _, ok := v.Get(); ok != want {
			t.Fatalf("at %d: Get says %v, want %v", clock.NowNS, ok, want)
		}
	}
	v.Set(1)
	clock.NowNS = 1009
	has(true)
	v.Set(2)
	clock.NowNS = 1018
	has(true)
	blocks := snapshot(s)
	clock.NowNS = 1019
	has(false)
	if n := s.Clean(10); n != 1 || s.Entries() != 0 {
		t.Fatalf("cleaned %d entries, %d left; want 1 and 0", n, s.Entries())
	}
	for clock.NowNS = 1018; clock.NowNS <= 1019; clock.NowNS++ {
		s, v = open()
		for _, b := range blocks {
			if err := s.Restore(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Restored(); err != nil {
			t.Fatal(err)
		}
		has(clock.NowNS < 1019)
	}
}

func TestWrongUse(t *testing.T) {
	s, at := state.NewStore(state.Options{Groups: allGroups}), &state.At[string]{}
	second := func(_ any, err error) error { return err }
	must(state.NewTable[string, int64](s, "count", "n"))
	timers := must(state.NewTimers(s, at, "count"))
	must(timers.Register("t", state.EventTime))
	for want, err := range map[string]error{
		`operator "count": state name "n" used twice`:                                                 second(state.NewTable[string, int64](s, "count", "n")),
		`operator "count": timer name "t" used twice`:                                                 second(timers.Register("t", state.EventTime)),
		`operator "x": state "n": time to live is -1s, want at least 0 (state.Forever keeps entries)`: second(state.NewValue[int64](s, at, "x", "n", -time.Second)),
		`operator "x": state "": state has no name`:                                                   second(state.NewTable[string, int64](s, "x", "")),
		`operator "x": state "a/b": a state's name may not have a slash`:                              second(state.NewList[int64](s, at, "x", "a/b", 0)),
		`operator "x": state "f": value: `:                                                            second(state.NewTable[string, func()](s, "x", "f")),
		`operator "x": state "f": map key: `:                                                          second(state.NewMap[float64, int64](s, at, "x", "f", 0)),
		`restore operator "gone": state "n" is in the snapshot but not in the job; keep the operator's id and its state, or start without the snapshot`: s.Restore(delta.Block{Operator: "gone", State: "n"}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestUnfinishedSnapshot(t *testing.T) {
	s, table := newCounts(t, state.Options{Groups: allGroups}, load[string]{})
	for i, l := 0, newLoad(t, 10, name); i < 10; i++ {
		*table.At(l.hashes[i], l.keys[i]) = 1
	}
	s.Freeze()
	if s.Step(3) || !s.Active() {
		t.Fatal("a snapshot of 10 entries is done after 3")
	}
	for what, f := range map[string]func(){"Freeze": s.Freeze, "Take": func() { s.Take() }} {
		if !panics(f) {
			t.Errorf("%s during a snapshot does not panic", what)
		}
	}
	if !panics(state.NewStore(state.Options{Groups: allGroups, Volatile: true}).Freeze) {
		t.Error("Freeze of a volatile store does not panic")
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// Damaged blocks are errors, and blocks of other tasks' groups are passed over.
func TestRestoreDamaged(t *testing.T) {
	l := newLoad(t, 50, name)
	s, _ := newCounts(t, state.Options{Groups: allGroups}, l)
	b := snapshot(s)[0]
	for n := range len(b.Data) {
		s, _ := newCounts(t, state.Options{Groups: allGroups}, load[string]{})
		cut := b
		cut.Data = b.Data[:n]
		err := s.Restore(cut)
		if err == nil && len(delta0(cut.Data)) != n {
			t.Fatalf("block cut to %d bytes restores", n)
		}
		flipped := b
		flipped.Data = append([]byte(nil), b.Data...)
		flipped.Data[n] ^= 0xff
		if err := s.Restore(flipped); err != nil && !errors.Is(err, delta.ErrDamaged) && !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("byte %d flipped: %v", n, err)
		}
	}
	moved := b
	moved.Group++
	other, table := newCounts(t, state.Options{Groups: allGroups}, load[string]{})
	if err := other.Restore(moved); !errors.Is(err, delta.ErrDamaged) || table.Len() > 0 {
		t.Fatalf("block of another group: %v", err)
	}
	not := flow.GroupRange{Lo: int(b.Group) + 1, Hi: flow.DefaultKeyGroups}
	other, table = newCounts(t, state.Options{Groups: not}, load[string]{})
	if err := other.Restore(b); err != nil || table.Len() > 0 {
		t.Fatalf("block of a group that is not owned: %v, %d entries", err, table.Len())
	}
}

// delta0 is the longest prefix of data that is whole entries.
func delta0(data []byte) []byte {
	rest := data
	for len(rest) > 0 {
		_, _, _, next, err := delta.Next(rest)
		if err != nil {
			break
		}
		rest = next
	}
	return data[:len(data)-len(rest)]
}

type brokenStores struct{ statetest.MapStores }

type brokenStore struct{ state.ByteStore }

var errDisk = errors.New("disk is gone")

func (b brokenStores) Open(operator, name string) (state.ByteStore, error) {
	s, err := b.MapStores.Open(operator, name)
	return brokenStore{s}, err
}
func (brokenStore) Write([]state.Write) error { return errDisk }

// An error of a byte store is a Failure that names operator and state.
func TestByteStoreFails(t *testing.T) {
	defer func() {
		f, ok := recover().(state.Failure)
		if !ok || !errors.Is(f, errDisk) || !strings.HasPrefix(f.Error(), `operator "count": state "n": write `) {
			t.Fatalf("got %v", f)
		}
	}()
	newCounts(t, state.Options{Groups: allGroups, Bytes: brokenStores{}, CacheBytes: 1000}, newLoad(t, 1000, name))
	t.Fatal("nothing was written")
}

// A cache stays within its bound, and an empty table costs little in many groups.
func TestMemoryBounds(t *testing.T) {
	l := newLoad(t, 20_000, name)
	const bound = 200_000
	s, table := newCounts(t, state.Options{Groups: allGroups, Bytes: statetest.MapStores{}, CacheBytes: bound, Volatile: true}, l)
	if n := s.Bytes(); n > 3*bound || table.Len() != len(l.keys) {
		t.Errorf("cache of at most %d bytes takes %d for %d entries", bound, n, table.Len())
	}
	s, _ = newCounts(t, state.Options{Groups: allGroups}, load[string]{})
	if n := s.Bytes(); n > 2000 {
		t.Errorf("empty table takes %d bytes", n)
	}
}
