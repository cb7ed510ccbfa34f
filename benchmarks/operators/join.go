package main

import (
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// joinAfter is how much later than a left record a right one may be: each meets about one.
const joinAfter = 200 * time.Millisecond

// joinCases join the records with even values to those with odd ones.
var joinCases = []Case{{
	Name: "interval join", Records: 5_000_000,
	Floor: func(n int64, e *timed.End) {
		f := &joinFloor{keys: map[string]*joinKey{}, oldest: (timed.StartNS - int64(timed.Disorder)) / joinSlotNS, end: e}
		var newest int64
		for i := range n {
			v := timed.Number(i)
			f.add(v)
			if newest = max(newest, v.AtNS); i&255 == 255 {
				f.forget(newest - int64(timed.Disorder))
			}
		}
	},
	Millrace: func(in millrace.Stream[timed.Event], e *timed.End) {
		left := in.Filter("left", func(v timed.Event) bool { return v.Val&1 == 0 }).KeyBy(timed.Event.User)
		right := in.Filter("right", func(v timed.Event) bool { return v.Val&1 == 1 }).KeyBy(timed.Event.User)
		left.Join("join", right, millrace.Within{After: joinAfter}, func(l, r timed.Event) joinRow { return joinRow{l.Key, l.AtNS, r.AtNS} }).
			To("end", timed.Each(func(r joinRow) { e.Row(timed.KeyHash(r.Key), r.LeftNS, r.RightNS) }))
	},
}}

type joinRow struct {
	Key             string
	LeftNS, RightNS int64
}

// joinFloor is the hand-written loop: for each key the records of both sides in the order of time, and a wheel of keys whose
// oldest may go.
type joinFloor struct {
	keys   map[string]*joinKey
	wheel  [joinSlots][]joinDue
	oldest int64 // slot that is not yet gone through
	end    *timed.End
}

type joinKey struct {
	key   string
	sides [2][]timed.Event // left, right
}

// joinDue says that the oldest record of a side may go.
type joinDue struct {
	key  *joinKey
	side int
}

const (
	joinSlots  = 256
	joinSlotNS = int64(5 * time.Millisecond)
)

// keptNS is how long after their time the records of a side can be met.
var keptNS = [2]int64{int64(joinAfter), 0}

func (f *joinFloor) add(v timed.Event) {
	k := f.keys[v.Key]
	if k == nil {
		k = &joinKey{key: v.Key}
		f.keys[v.Key] = k
	}
	side := int(v.Val & 1)
	from, to := v.AtNS, v.AtNS+int64(joinAfter)
	if side == 1 {
		from, to = v.AtNS-int64(joinAfter), v.AtNS
	}
	hash := timed.KeyHash(v.Key)
	others := k.sides[1-side]
	for i := len(others) - 1; i >= 0 && others[i].AtNS >= from; i-- {
		switch o := &others[i]; {
		case o.AtNS > to:
		case side == 0:
			f.end.Row(hash, v.AtNS, o.AtNS)
		default:
			f.end.Row(hash, o.AtNS, v.AtNS)
		}
	}
	own := append(k.sides[side], v)
	i := len(own) - 1
	for ; i > 0 && own[i-1].AtNS > v.AtNS; i-- {
		own[i] = own[i-1]
	}
	own[i] = v
	k.sides[side] = own
	slot := &f.wheel[(v.AtNS+keptNS[side])/joinSlotNS%joinSlots]
	*slot = append(*slot, joinDue{k, side})
}

func (f *joinFloor) forget(watermarkNS int64) {
	for ; (f.oldest+1)*joinSlotNS <= watermarkNS; f.oldest++ {
		slot := &f.wheel[f.oldest%joinSlots]
		for _, d := range *slot {
			own, n := d.key.sides[d.side], 0
			for n < len(own) && own[n].AtNS+keptNS[d.side] < watermarkNS {
				n++
			}
			d.key.sides[d.side] = append(own[:0], own[n:]...)
		}
		*slot = (*slot)[:0]
	}
}
