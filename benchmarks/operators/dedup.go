package main

import (
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// dedupCases drop records that come twice, by event time and value; a record that is behind the watermark is dropped as well. Every
// eighth record comes twice.
var dedupCases = []Case{{
	Name: "dedup", Records: 6_000_000,
	Floor: func(n int64, e *timed.End) {
		f := &dedupFloor{seen: map[seenKey]struct{}{}, oldest: (timed.StartNS - int64(timed.Disorder)) / dedupSlotNS}
		var newest int64
		for i := range n {
			v := timed.Number(i)
			twice(v, func(v timed.Event) {
				if f.isNew(v) {
					e.Row(timed.KeyHash(v.Key), v.AtNS, v.Val)
				}
			})
			if newest = max(newest, v.AtNS); i&255 == 255 {
				f.forget(newest - int64(timed.Disorder))
			}
		}
	},
	Millrace: func(in millrace.Stream[timed.Event], e *timed.End) {
		in.FlatMap("twice", twice).KeyBy(seenKeyOf).Dedup("unique").To("end", timed.Each(func(v timed.Event) {
			e.Row(timed.KeyHash(v.Key), v.AtNS, v.Val)
		}))
	},
}}

func twice(v timed.Event, emit func(timed.Event)) {
	emit(v)
	if v.Val&7 == 0 {
		emit(v)
	}
}

type seenKey struct{ AtNS, Val int64 }

func seenKeyOf(e timed.Event) seenKey { return seenKey{e.AtNS, e.Val} }

// dedupFloor is the hand-written loop: a set, and a wheel of what to forget when. Nothing is late: the delay is the timed.Disorder.
type dedupFloor struct {
	seen   map[seenKey]struct{}
	wheel  [dedupSlots][]seenKey
	oldest int64 // slot that is not yet forgotten
}

const (
	dedupSlots  = 256
	dedupSlotNS = int64(5 * time.Millisecond)
)

func (f *dedupFloor) isNew(v timed.Event) bool {
	k := seenKeyOf(v)
	if _, ok := f.seen[k]; ok {
		return false
	}
	f.seen[k] = struct{}{}
	slot := &f.wheel[v.AtNS/dedupSlotNS%dedupSlots]
	*slot = append(*slot, k)
	return true
}

func (f *dedupFloor) forget(watermarkNS int64) {
	for ; (f.oldest+1)*dedupSlotNS <= watermarkNS; f.oldest++ {
		slot := &f.wheel[f.oldest%dedupSlots]
		for _, k := range *slot {
			delete(f.seen, k)
		}
		*slot = (*slot)[:0]
	}
}
