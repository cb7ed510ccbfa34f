package operators_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// click is a record of the benchmarks: no pointers.
type click struct {
	Ad    int64
	AtNS  int64
	Value int64
}

func (c click) ad() int64 { return c.Ad }

type clickKey struct{ Ad, AtNS int64 }

func (c click) exact() clickKey { return clickKey{c.Ad, c.AtNS} }

// The load: 1,000 records a second of event time, up to 200 ms out of order; every tenth comes twice. The watermark moves every
// 256 records, an epoch is cut every 100,000.
const (
	benchStepNS  = int64(time.Millisecond)
	benchJitter  = int64(200 * time.Millisecond)
	benchBatch   = 256
	benchEpoch   = 100_000
	benchDelayNS = benchJitter
	benchAds     = 20_000
)

var benchClicks = func() []click {
	random := rand.New(rand.NewPCG(1, 2))
	cs := make([]click, 1<<20)
	for i := range cs {
		cs[i] = click{random.Int64N(benchAds), int64(i)*benchStepNS - random.Int64N(benchJitter), int64(i)}
		if i > 10 && i%10 == 0 {
			cs[i] = cs[i-1-random.IntN(9)]
		}
	}
	return cs
}()

// bed is a task's store and clock, with epochs.
type bed struct {
	env  *operators.Env
	hash func(int64) uint64
}

func newBed(b *testing.B) *bed {
	b.Helper()
	keys, err := codec.KeyOf[int64]()
	if err != nil {
		b.Fatal(err)
	}
	clock := &state.Clock{WatermarkNS: flow.NoWatermarkNS}
	return &bed{&operators.Env{Clock: clock, Store: state.NewStore(state.Options{Groups: flow.RangeOf(0, flow.DefaultKeyGroups, 1), Clock: clock})}, keys.Hash}
}

// feed gives n records to f, as a task does.
func (x *bed) feed(b *testing.B, f func(i int, c click)) {
	s := x.env.Store
	var lap int64
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		at := i & (len(benchClicks) - 1)
		if at == 0 && i > 0 {
			lap += int64(len(benchClicks)) * benchStepNS
		}
		c := benchClicks[at]
		c.AtNS += lap
		x.env.TimeNS = c.AtNS
		f(i, c)
		if i%benchBatch == benchBatch-1 {
			x.env.Clock.WatermarkNS = int64(i)*benchStepNS - benchDelayNS
			fire(x.env)
			s.Step(2 * benchBatch)
		}
		if i%benchEpoch == benchEpoch-1 {
			for !s.Step(1 << 20) {
			}
			if i > benchEpoch {
				s.Recycle(s.Take())
			}
			s.Freeze()
		}
	}
	b.StopTimer()
}

func BenchmarkDedup(b *testing.B) {
	b.Run("millrace", func(b *testing.B) {
		x, passed := newBed(b), 0
		keys, err := codec.KeyOf[clickKey]()
		if err != nil {
			b.Fatal(err)
		}
		f, err := operators.Dedup(x.env, "unique", click.exact, nil, func(click) { passed++ })
		if err != nil {
			b.Fatal(err)
		}
		x.feed(b, func(_ int, c click) {
			x.env.Hash = keys.Hash(c.exact())
			f(c)
		})
		b.ReportMetric(float64(x.env.Store.Entries()), "entries")
		b.ReportMetric(float64(passed)/float64(b.N), "passed")
	})
	// By hand: a map, and a slice of keys for each 100 ms.
	b.Run("floor", func(b *testing.B) {
		x, passed := newBed(b), 0
		seen, buckets := map[clickKey]struct{}{}, map[int64][]clickKey{}
		const width = int64(100 * time.Millisecond)
		oldest := -benchJitter / width
		x.feed(b, func(i int, c click) {
			wm := x.env.Clock.WatermarkNS
			if c.AtNS < wm {
				return
			}
			k := c.exact()
			if _, ok := seen[k]; !ok {
				seen[k] = struct{}{}
				buckets[c.AtNS/width] = append(buckets[c.AtNS/width], k)
				passed++
			}
			if i%benchBatch == 0 && wm > 0 {
				for ; (oldest+1)*width < wm; oldest++ {
					for _, k := range buckets[oldest] {
						delete(seen, k)
					}
					delete(buckets, oldest)
				}
			}
		})
		b.ReportMetric(float64(len(seen)), "entries")
		b.ReportMetric(float64(passed)/float64(b.N), "passed")
	})
}

const benchWithin = 20 * time.Second

func BenchmarkIntervalJoin(b *testing.B) {
	for name, kind := range map[string]operators.JoinKind{"inner": operators.InnerJoin, "left": operators.LeftJoin} {
		b.Run("millrace/"+name, func(b *testing.B) {
			x, pairs := newBed(b), 0
			j, err := operators.NewJoin(x.env, "join", kind, operators.Within{After: benchWithin}, click.ad, click.ad,
				func(l click, _ bool, r click, _ bool) int64 { return l.Value + r.Value }, nil, func(int64) { pairs++ })
			if err != nil {
				b.Fatal(err)
			}
			x.feed(b, func(i int, c click) {
				x.env.Hash = x.hash(c.Ad)
				if i&1 == 0 {
					j.Left(c)
				} else {
					j.Right(c)
				}
			})
			b.ReportMetric(float64(x.env.Store.Entries()), "entries")
			b.ReportMetric(float64(pairs)/float64(b.N), "pairs")
		})
	}
	// By hand: for each key two slices in order of time, and a slice of keys for each 100 ms that says whose to cut.
	b.Run("floor", func(b *testing.B) {
		x, pairs := newBed(b), 0
		f := &joinFloor{ads: map[int64]*[2][]click{}, buckets: map[int64][]int64{}, oldest: -benchJitter / floorWidth}
		x.feed(b, func(i int, c click) {
			wm := x.env.Clock.WatermarkNS
			if c.AtNS < wm {
				return
			}
			pairs += f.add(i&1, c)
			if i%benchBatch == 0 && wm > 0 {
				f.forget(wm)
			}
		})
		b.ReportMetric(float64(f.n), "entries")
		b.ReportMetric(float64(pairs)/float64(b.N), "pairs")
	})
}

const floorWidth = int64(100 * time.Millisecond)

type joinFloor struct {
	ads     map[int64]*[2][]click
	buckets map[int64][]int64
	oldest  int64
	n       int
	sum     int64
}

func (f *joinFloor) add(side int, c click) (pairs int) {
	p := f.ads[c.Ad]
	if p == nil {
		p = new([2][]click)
		f.ads[c.Ad] = p
	}
	from, to := c.AtNS-int64(benchWithin), c.AtNS
	if side == 0 {
		from, to = c.AtNS, c.AtNS+int64(benchWithin)
	}
	others := p[1-side]
	for i := len(others) - 1; i >= 0 && others[i].AtNS >= from; i-- {
		if others[i].AtNS <= to {
			f.sum += c.Value + others[i].Value
			pairs++
		}
	}
	own := append(p[side], c)
	for i := len(own) - 1; i > 0 && own[i-1].AtNS > own[i].AtNS; i-- {
		own[i-1], own[i] = own[i], own[i-1]
	}
	p[side] = own
	f.n++
	until := c.AtNS
	if side == 0 {
		until += int64(benchWithin)
	}
	f.buckets[until/floorWidth] = append(f.buckets[until/floorWidth], c.Ad<<1|int64(side))
	return pairs
}

func (f *joinFloor) forget(wm int64) {
	for ; (f.oldest+1)*floorWidth < wm; f.oldest++ {
		for _, k := range f.buckets[f.oldest] {
			p := f.ads[k>>1]
			if p == nil {
				continue
			}
			until := wm
			if k&1 == 0 {
				until -= int64(benchWithin)
			}
			own, n := p[k&1], 0
			for n < len(own) && own[n].AtNS < until {
				n++
			}
			f.n -= n
			p[k&1] = append(own[:0], own[n:]...)
			if len(p[0])+len(p[1]) == 0 {
				delete(f.ads, k>>1)
			}
		}
		delete(f.buckets, f.oldest)
	}
}
