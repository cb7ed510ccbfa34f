package statetest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// sideRecord is a record of a side in the model.
type sideRecord struct {
	timeNS int64
	v      int
	marked bool
}

// sideBed is one side under test with its model, the records of each key in order.
type sideBed[K comparable] struct {
	x     *state.Side[K, int]
	keep  state.Keep
	model map[K][]sideRecord
}

// sidesBed is both.
type sidesBed[K comparable] struct {
	lines *state.Sides[K]
	keys  *codec.Key[K]
	sides [2]*sideBed[K]
}

// sideKeeps are kinds of sides in use: of a join that emits in order, of one that only drops, of versions, of records kept for good.
var sideKeeps = []state.Keep{
	{For: 10 * time.Second, Ordered: true},
	{For: 5 * time.Second},
	{For: -2 * time.Second, Span: 8 * time.Second, Ordered: true},
	{For: -1, Newest: true, Span: 10 * time.Second},
	{Forever: true},
}

func newSidesBed[K comparable](e *env, s *state.Store, keeps [2]state.Keep) *sidesBed[K] {
	keys, err := codec.KeyOf[K]()
	e.must(err)
	lines, err := state.NewSides[K](s, "op")
	e.must(err)
	b := &sidesBed[K]{lines: lines, keys: keys}
	for i := range b.sides {
		x, err := state.NewSide[int](lines, i, fmt.Sprint("side", i), keeps[i])
		e.must(err)
		b.sides[i] = &sideBed[K]{x, keeps[i], map[K][]sideRecord{}}
	}
	return b
}

func (b *sidesBed[K]) copyModel() (m [2]map[K][]sideRecord) {
	for i, d := range b.sides {
		m[i] = map[K][]sideRecord{}
		for k, rs := range d.model {
			m[i][k] = slices.Clone(rs)
		}
	}
	return m
}

// due is how many records of the key are due, from the first on.
func (d *sideBed[K]) due(k K, nowNS int64) (n int) {
	rs := d.model[k]
	for !d.keep.Forever && n < len(rs) {
		at := n
		if d.keep.Newest {
			at++
		}
		if at == len(rs) || rs[at].timeNS+int64(d.keep.For) >= nowNS {
			break
		}
		n++
	}
	return n
}

func testSides[K comparable](e *env, key func(i int) K) {
	s := e.whole()
	keeps := [2]state.Keep{sideKeeps[e.rnd.IntN(len(sideKeeps))], sideKeeps[e.rnd.IntN(len(sideKeeps))]}
	b := newSidesBed[K](e, s, keeps)
	many, now := 1+e.rnd.IntN(20), int64(-3e9)
	var h history
	var cut [2]map[K][]sideRecord
	frozen := false
	for i := range actions(2500) {
		k := key(e.rnd.IntN(many))
		d := b.sides[e.rnd.IntN(2)]
		switch e.rnd.IntN(12) {
		case 0:
			now += e.rnd.Int64N(int64(2 * time.Second))
			b.drain(e, now)
		case 1:
			b.remove(e, d, k)
		case 2:
			b.mark(e, d, k)
		case 3:
			h.snap(e, s, &frozen, func() { cut = b.copyModel() }, func() {
				if e.rnd.IntN(4) == 0 {
					checkSides(e, &h, keeps, cut, now)
				}
			})
		default:
			b.add(e, d, k, now+e.rnd.Int64N(int64(6*time.Second))/(1+e.rnd.Int64N(2e9))*1e6, i)
			b.check(e, d, k)
		}
	}
	b.drain(e, math.MaxInt64)
}

func (b *sidesBed[K]) add(e *env, d *sideBed[K], k K, at int64, v int) {
	l := b.lines.At(b.keys.Hash(k), k)
	d.x.Add(l, at, v, v%7 == 0)
	rs := d.model[k]
	i := len(rs)
	for i > 0 && rs[i-1].timeNS > at {
		i--
	}
	d.model[k] = slices.Insert(rs, i, sideRecord{at, v, v%7 == 0})
}

func (b *sidesBed[K]) remove(e *env, d *sideBed[K], k K) {
	if n := len(d.model[k]); n > 0 {
		i := e.rnd.IntN(n)
		j := i + 1 + e.rnd.IntN(n-i)
		l := b.lines.At(b.keys.Hash(k), k)
		d.x.Remove(l, i, j)
		b.lines.Release(l)
		d.model[k] = slices.Delete(d.model[k], i, j)
	}
}

func (b *sidesBed[K]) mark(e *env, d *sideBed[K], k K) {
	if n := len(d.model[k]); n > 0 {
		i := e.rnd.IntN(n)
		d.x.Mark(b.lines.At(b.keys.Hash(k), k), i)
		d.model[k][i].marked = true
	}
}

// check compares what is found of a key in a random stretch of time.
func (b *sidesBed[K]) check(e *env, d *sideBed[K], k K) {
	e.t.Helper()
	rs := d.model[k]
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if len(rs) > 0 && e.rnd.IntN(3) > 0 {
		from, to = rs[e.rnd.IntN(len(rs))].timeNS, rs[e.rnd.IntN(len(rs))].timeNS
	}
	var want, got []sideRecord
	for _, r := range rs {
		if from <= r.timeNS && r.timeNS <= to {
			want = append(want, r)
		}
	}
	l := b.lines.At(b.keys.Hash(k), k)
	defer b.lines.Release(l)
	for i, n := d.x.Between(l, from, to); i < n; i++ {
		v, marked := d.x.Get(l, i)
		got = append(got, sideRecord{d.x.TimeNS(l, i), *v, marked})
	}
	if !slices.Equal(got, want) || d.x.Len(l) != len(rs) {
		e.fatalf("key %v between %d and %d: %v, of %d; want %v, of %d", k, from, to, got, d.x.Len(l), want, len(rs))
	}
}

// drain takes what is due out of both sides and compares it with the model.
func (b *sidesBed[K]) drain(e *env, nowNS int64) {
	e.t.Helper()
	for _, d := range b.sides {
		want := 0
		for k := range d.model {
			want += d.due(k, nowNS)
		}
		got := 0
		if d.keep.Ordered {
			got = b.takeDue(e, d, nowNS)
		} else {
			got = b.forget(e, d, nowNS)
		}
		// A side that is not ordered may keep some a while longer.
		if got > want || d.keep.Ordered && got != want || nowNS == math.MaxInt64 && got != want {
			e.fatalf("%d records were due at %d, want %d", got, nowNS, want)
		}
		left := 0
		for _, rs := range d.model {
			left += len(rs)
		}
		if d.x.Records() != left {
			e.fatalf("%d records are kept, want %d", d.x.Records(), left)
		}
		if next := d.x.NextNS(); d.keep.Ordered && next <= nowNS && next != math.MaxInt64 && left == 0 {
			e.fatalf("NextNS is %d at %d, when nothing is kept", next, nowNS)
		}
	}
}

// takeDue takes out what is due of a side, one by one.
func (b *sidesBed[K]) takeDue(e *env, d *sideBed[K], nowNS int64) (got int) {
	e.t.Helper()
	last := int64(math.MinInt64)
	for l, ok := d.x.Due(nowNS); ok; l, ok = d.x.Due(nowNS) {
		k, hash := b.lines.Key(l)
		if d.due(k, nowNS) == 0 || hash != b.keys.Hash(k) {
			e.fatalf("key %v, hash %x: none is due at %d", k, hash, nowNS)
		}
		if d.x.TimeNS(l, 0) < last {
			e.fatalf("key %v, time %d comes behind %d", k, d.x.TimeNS(l, 0), last)
		}
		last = d.x.TimeNS(l, 0)
		d.x.Remove(l, 0, 1)
		d.x.Done(l)
		d.model[k] = slices.Delete(d.model[k], 0, 1)
		got++
	}
	return got
}

// forget drops what is due of a side: only that, and the oldest of each key.
func (b *sidesBed[K]) forget(e *env, d *sideBed[K], nowNS int64) (got int) {
	e.t.Helper()
	for n := 1; n > 0; got += n {
		n = d.x.Forget(nowNS, 1+e.rnd.IntN(40))
	}
	sum := 0
	for k, rs := range d.model {
		l := b.lines.At(b.keys.Hash(k), k)
		gone := len(rs) - d.x.Len(l)
		b.lines.Release(l)
		if gone < 0 || gone > d.due(k, nowNS) {
			e.fatalf("key %v: %d records are gone, %d were due at %d", k, gone, d.due(k, nowNS), nowNS)
		}
		d.model[k] = slices.Delete(rs, 0, gone)
		sum += gone
	}
	if sum != got {
		e.fatalf("%d records are gone, Forget says %d", sum, got)
	}
	return got
}

// checkSides restores the history and lets what comes back go on.
func checkSides[K comparable](e *env, h *history, keeps [2]state.Keep, cut [2]map[K][]sideRecord, nowNS int64) {
	var beds []*sidesBed[K]
	stores := h.restore(e, func(s *state.Store) { beds = append(beds, newSidesBed[K](e, s, keeps)) })
	total := 0
	for i := range cut {
		for k, rs := range cut[i] {
			b := beds[flow.TaskOf(flow.GroupOf(beds[0].keys.Hash(k), keyGroups), keyGroups, len(stores))]
			b.sides[i].model[k] = slices.Clone(rs)
			total += len(rs)
		}
	}
	for _, b := range beds {
		for _, d := range b.sides {
			total -= d.x.Records()
			for k := range d.model {
				b.check(e, d, k)
				b.add(e, d, k, nowNS, 1)
				b.check(e, d, k)
			}
		}
		b.drain(e, nowNS)
		b.drain(e, math.MaxInt64)
	}
	if total != 0 {
		e.fatalf("%d records are missing after a restore", total)
	}
}
