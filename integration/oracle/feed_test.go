package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// rec is a record of every test here. Times are in ms since the Unix epoch.
type rec struct {
	Key string // its seed and a letter
	N   int64  // duplicates have the same
	V   int64
	TS  int64
}

func (r rec) key() string     { return r.Key }
func (r rec) number() int64   { return r.N }
func (r rec) value() int64    { return r.V }
func (r rec) time() time.Time { return time.UnixMilli(r.TS) }

// step is something that happens to a job: a record, a split's watermark, or time that passes.
type step struct {
	kind  stepKind
	side  int // which input
	split int
	rec   rec
	ms    int64 // the watermark; or how much time passes
}

type stepKind int

const (
	sends stepKind = iota
	marks
	waits
)

// batch is the input of one job, made by the seeds from first on.
type batch struct {
	first, only uint64 // only: the one that is played; allSeeds: all are
	r           *rand.Rand
	late        bool  // watermarks are steps, and records come behind them; else they keep the disorder
	together    bool  // several records may be one action
	times       bool  // rows end with their event time
	grain       int64 // ms: all times are multiples, so that bounds are met often
	disorder    int64 // ms: how much older than the newest a record may be
	sides       int
	splits      int // of each input
	steps       []step
	params      map[string]int64 // of the operator, by their names in queries
}

// The span of event times, around the epoch.
const (
	fromMS = -2000
	toMS   = 2000
)

func newBatch(first, only uint64, sides int, late bool) *batch {
	r := rand.New(rand.NewPCG(first, 3))
	b := &batch{first: first, only: only, r: r, late: late, sides: sides, params: map[string]int64{}}
	b.grain = []int64{1, 10, 50}[r.IntN(3)]
	b.disorder = b.upTo(400)
	b.splits = 1 + r.IntN(3)
	b.together = !late && r.IntN(2) == 0
	return b
}

// upTo is a random multiple of the grain, from one grain on.
func (b *batch) upTo(ms int64) int64 { return b.grain * (1 + b.r.Int64N(max(1, ms/b.grain))) }

// around is a time between -ms and ms, more often near 0.
func (b *batch) around(ms int64) int64 {
	plus, minus := b.upTo(ms), b.upTo(ms)
	return plus - minus
}

// fill makes the steps. at is the event time of a record somewhere in the span [0, 1); nil: evenly.
func (b *batch) fill(at func(span float64) int64) {
	if at == nil {
		at = func(span float64) int64 { return fromMS + int64(span*float64((toMS-fromMS)/b.grain))*b.grain }
	}
	type due struct {
		at int64
		step
	}
	var all []due
	for seed := b.first; seed < b.first+batchSeeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 4))
		for n := range int64(20 + r.IntN(15)) {
			v := rec{fmt.Sprintf("%d/%c", seed, 'a'+rune(r.IntN(3))), n + 1, r.Int64N(20) - 8, at(r.Float64())}
			side := r.IntN(b.sides)
			for copies := 1 + max(0, r.IntN(8)-5); copies > 0; copies-- { // one in four is sent again
				delay := []int64{0, b.disorder, r.Int64N(b.disorder + 1)}[r.IntN(3)]
				all = append(all, due{v.TS + delay, step{kind: sends, side: side, split: r.IntN(b.splits), rec: v}})
			}
		}
	}
	b.r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	slices.SortStableFunc(all, func(x, y due) int { return int(min(1, max(-1, x.at-y.at))) })
	for _, d := range all {
		b.steps = append(b.steps, b.between(d.at, d.rec.TS)...)
		if b.only == allSeeds || seedOf(d.rec.Key) == b.only {
			b.steps = append(b.steps, d.step)
		}
	}
}

// between is what happens before a record of the event time ts that is due at ms: the watermark of a split moves, one in three times to
// what the record just bears, time passes, or nothing.
func (b *batch) between(ms, ts int64) (steps []step) {
	if b.late && b.r.IntN(3) == 0 {
		mark := (ms - b.r.Int64N(b.disorder+1)) / b.grain * b.grain
		if b.r.IntN(3) == 0 {
			mark = ts
		}
		steps = append(steps, step{kind: marks, side: b.r.IntN(b.sides), split: b.r.IntN(b.splits), ms: mark})
	}
	if b.r.IntN(10) == 0 {
		steps = append(steps, step{kind: waits, ms: b.upTo(100)})
	}
	return steps
}

// arrival is a record as it came: what rules and queries know of it.
type arrival struct {
	step
	wm     int64 // the watermark that met it: the earliest of all splits of all inputs
	cameMS int64 // processing time
	late   bool
	closed int64 // sessions: see sessionRule
}

// noMark is the watermark before all splits have one.
const noMark = -1 << 40

// arrivals are the records of the batch with the watermarks that its steps, or the delay, make.
func (b *batch) arrivals() (all []arrival) {
	splits := make([]int64, b.sides*b.splits)
	for i := range splits {
		splits[i] = noMark
	}
	now := int64(0)
	for _, s := range b.steps {
		split := &splits[s.side*b.splits+s.split]
		switch s.kind {
		case waits:
			now += s.ms
		case marks:
			*split = max(*split, s.ms)
		case sends:
			all = append(all, arrival{step: s, wm: slices.Min(splits), cameMS: now})
			if !b.late {
				*split = max(*split, s.rec.TS-b.disorder)
			}
		}
	}
	return all
}
