package state_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/statetest"
)

var allGroups = flow.GroupRange{Lo: 0, Hi: flow.DefaultKeyGroups}

// load is a stream of random keys with their hashes, as a batch carries them.
type load[K comparable] struct {
	keys   []K
	hashes []uint64
}

func newLoad[K comparable](tb testing.TB, n int, key func(i int) K) load[K] {
	k, err := codec.KeyOf[K]()
	if err != nil {
		tb.Fatal(err)
	}
	var l load[K]
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		l.keys = append(l.keys, key(i))
		l.hashes = append(l.hashes, k.Hash(l.keys[len(l.keys)-1]))
	}
	return l
}

func name(i int) string { return fmt.Sprintf("key-%08d", i) }

func newCounts[K comparable](tb testing.TB, o state.Options, l load[K]) (*state.Store, *state.Table[K, int64]) {
	s := state.NewStore(o)
	t, err := state.NewTable[K, int64](s, "count", "n")
	if err != nil {
		tb.Fatal(err)
	}
	for i, k := range l.keys {
		*t.At(l.hashes[i], k)++
	}
	return s, t
}

func BenchmarkAt(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("string/%d", n), func(b *testing.B) { benchAt(b, newLoad(b, n, name)) })
		b.Run(fmt.Sprintf("int64/%d", n), func(b *testing.B) { benchAt(b, newLoad(b, n, func(i int) int64 { return int64(i) })) })
	}
}

func benchAt[K comparable](b *testing.B, l load[K]) {
	_, t := newCounts(b, state.Options{Groups: allGroups}, l)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(l.keys) {
			i = 0
		}
		*t.At(l.hashes[i], l.keys[i])++
	}
}

// BenchmarkSnapshot updates 100 k keys while one snapshot after another encodes 64 entries for each 256 updates.
func BenchmarkSnapshot(b *testing.B) {
	l := newLoad(b, 100_000, name)
	s, t := newCounts(b, state.Options{Groups: allGroups}, l)
	b.ReportAllocs()
	i, snapshots := 0, 0
	for b.Loop() {
		if i++; i == len(l.keys) {
			i = 0
		}
		*t.At(l.hashes[i], l.keys[i])++
		if i%256 == 0 && s.Step(64) {
			if snapshots > 0 {
				s.Recycle(s.Take())
			}
			s.Freeze()
			snapshots++
		}
	}
	b.ReportMetric(float64(b.N)/float64(max(1, snapshots)), "updates/snapshot")
}

// BenchmarkEncode is a snapshot of 100 k dirty keys, encoded at once.
func BenchmarkEncode(b *testing.B) {
	l := newLoad(b, 100_000, name)
	s, t := newCounts(b, state.Options{Groups: allGroups}, l)
	for b.Loop() {
		b.StopTimer()
		for i, k := range l.keys {
			*t.At(l.hashes[i], k)++
		}
		b.StartTimer()
		s.Freeze()
		s.Step(1 << 30)
		s.Recycle(s.Take())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/key")
}

func snapshot(s *state.Store) []delta.Block {
	s.Freeze()
	for !s.Step(256) {
	}
	return s.Take()
}

func BenchmarkRestore(b *testing.B) {
	b.Run("string/1000000", func(b *testing.B) { benchRestore(b, newLoad(b, 1_000_000, name)) })
	b.Run("int64/1000000", func(b *testing.B) {
		benchRestore(b, newLoad(b, 1_000_000, func(i int) int64 { return int64(i) }))
	})
}

func benchRestore[K comparable](b *testing.B, l load[K]) {
	s, _ := newCounts(b, state.Options{Groups: allGroups}, l)
	blocks := snapshot(s)
	b.ReportAllocs()
	for b.Loop() {
		s, t := newCounts(b, state.Options{Groups: allGroups}, load[K]{})
		for _, x := range blocks {
			if err := s.Restore(x); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Restored(); err != nil || t.Len() != len(l.keys) {
			b.Fatal(err, t.Len())
		}
	}
}

func BenchmarkValue(b *testing.B) {
	l := newLoad(b, 100_000, name)
	at := &state.At[string]{}
	v, err := state.NewValue[int64](state.NewStore(state.Options{Groups: allGroups}), at, "op", "value", state.Forever)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(l.keys) {
			i = 0
		}
		at.Hash, at.Key = l.hashes[i], l.keys[i]
		n, _ := v.Get()
		v.Set(n + 1)
	}
}

func BenchmarkList(b *testing.B) {
	l := newLoad(b, 1_000, name)
	at := &state.At[string]{}
	x, err := state.NewList[int64](state.NewStore(state.Options{Groups: allGroups}), at, "op", "list", state.Forever)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(l.keys) {
			i = 0
		}
		at.Hash, at.Key = l.hashes[i], l.keys[i]
		x.Append(int64(i))
	}
}

func BenchmarkMap(b *testing.B) {
	l := newLoad(b, 1_000, name)
	at := &state.At[string]{}
	x, err := state.NewMap[int64, int64](state.NewStore(state.Options{Groups: allGroups}), at, "op", "map", state.Forever)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == 100*len(l.keys) {
			i = 0
		}
		at.Hash, at.Key = l.hashes[i%1000], l.keys[i%1000]
		x.Set(int64(i/1000), int64(i))
	}
}

// BenchmarkTimers sets a timer and fires one, with a million pending; restore rebuilds their heap.
func BenchmarkTimers(b *testing.B) {
	const pending = 1_000_000
	l := newLoad(b, pending, name)
	rnd := rand.New(rand.NewPCG(3, 4))
	fill := func() (*state.Store, *state.At[string], *state.Timers[string], state.TimerID) {
		s, at := state.NewStore(state.Options{Groups: allGroups}), &state.At[string]{}
		x, err := state.NewTimers(s, at, "op")
		if err != nil {
			b.Fatal(err)
		}
		id, err := x.Register("t", state.EventTime)
		if err != nil {
			b.Fatal(err)
		}
		return s, at, x, id
	}
	s, at, x, id := fill()
	set := func(i int, atNS int64) {
		at.Hash, at.Key = l.hashes[i], l.keys[i]
		x.Set(id, atNS)
	}
	for i := range pending {
		set(i, rnd.Int64N(1e12))
	}
	b.Run("set and fire", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_, _, _, atNS, ok := x.Due(state.EventTime, 1<<62)
			if !ok {
				b.Fatal("no timer")
			}
			if i++; i == pending {
				i = 0
			}
			set(i, atNS+rnd.Int64N(1e12))
		}
	})
	b.Run("set and delete", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if i++; i == pending {
				i = 0
			}
			set(i, int64(i)+2e12)
			x.Delete(id, int64(i)+2e12)
		}
	})
	blocks := snapshot(s)
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			s, _, x, _ := fill()
			for _, block := range blocks {
				if err := s.Restore(block); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Restored(); err != nil || x.NextNS(state.EventTime) == 1<<63-1 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPaged is the cost of the cache alone: over Go maps, all keys in the cache and a tenth of them.
func BenchmarkPaged(b *testing.B) {
	l := newLoad(b, 100_000, name)
	for what, cacheBytes := range map[string]int64{"all": 1 << 30, "tenth": 1 << 20} {
		b.Run(what, func(b *testing.B) {
			_, t := newCounts(b, state.Options{Groups: allGroups, Bytes: statetest.MapStores{}, CacheBytes: cacheBytes, Volatile: true}, l)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(l.keys) {
					i = 0
				}
				*t.At(l.hashes[i], l.keys[i])++
			}
		})
	}
}
