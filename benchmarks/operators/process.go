package main

import (
	"errors"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

const (
	// visitNS is how long a visitor stays, in event time: then others come. About 20 records.
	visitNS  = int64(200 * time.Millisecond)
	visitors = 1 << 10 // at a time
	// slotNS is what a row is about. A visit has two slots.
	slotNS = visitNS / 2
	// visitTTL is how long a visit is remembered behind its last record, by the clock on the wall. No visit has a timer that long
	// unless a contestant does less than 40,000 records/s.
	visitTTL = 500 * time.Millisecond
)

// processCases count the records of each visit and slot. A timer of event time emits the count when the slot has ended, and not all at
// once; what is kept of a visit goes by its TTL.
var processCases = []Case{{
	Name: "process with timers and TTL", Records: 8_000_000,
	Floor: func(n int64, e *timed.End) {
		f := &processFloor{visits: map[int64]*kept{}, nowNS: harness.NowNS(), end: e}
		f.list.before, f.list.after = &f.list, &f.list
		var newest int64
		for i := range n {
			v := timed.Number(i)
			f.add(v)
			if newest = max(newest, v.AtNS); i&255 == 255 {
				f.advance(harness.NowNS(), newest-int64(timed.Disorder))
			}
		}
		f.advance(harness.NowNS(), 1<<63-1)
	},
	Millrace: func(in millrace.Stream[timed.Event], e *timed.End) {
		in.KeyBy(visitOf).Process("visits", countVisits).To("end", timed.Each(func(r visitRow) {
			e.Row(uint64(r.Visit), r.DueNS, r.Count)
		}))
	},
	Lateness: &lateness{floor: floorTimers, millrace: millraceTimers},
}}

type (
	// visit is the state: counts of its slots.
	visit struct{ First, Second int64 }

	visitRow struct{ Visit, DueNS, Count int64 }
)

func visitOf(e timed.Event) int64 { return e.AtNS/visitNS*visitors + e.Val&(visitors-1) }

// slot is the count of the slot that a time is in.
func (v *visit) slot(ns int64) *int64 {
	if ns/slotNS&1 == 0 {
		return &v.First
	}
	return &v.Second
}

// dueNS is when the count of the slot that a time is in is emitted: within the next slot.
func dueNS(ns, id int64) int64 {
	return (ns/slotNS+1)*slotNS + id&(visitors-1)*(slotNS/visitors)
}

var errForgotten = errors.New("a visit was forgotten before its timer: the machine stood still for half a second")

func countVisits(s *millrace.Setup[int64, visitRow]) millrace.Handler[int64, timed.Event, visitRow] {
	visits := s.Value[visit]("visit", visitTTL)
	due := s.EventTimer("due", func(c *millrace.Context[int64, visitRow], at time.Time) error {
		v, ok := visits.Get()
		if !ok {
			return errForgotten
		}
		ns := at.UnixNano()
		c.Emit(visitRow{c.Key(), ns, *v.slot(ns - slotNS)})
		return nil
	})
	return func(c *millrace.Context[int64, visitRow], e timed.Event) error {
		v, _ := visits.Get()
		n := v.slot(e.AtNS)
		if *n++; *n == 1 {
			due.Set(time.Unix(0, dueNS(e.AtNS, c.Key())))
		}
		visits.Set(v)
		return nil
	}
}

// processFloor is the hand-written loop: visits in a map and in a list by their last record, the first to go first, and a heap of
// timers.
type processFloor struct {
	visits map[int64]*kept
	list   kept // its ends
	spare  []*kept
	timers timerHeap
	nowNS  int64
	end    *timed.End
}

type kept struct {
	visit
	id            int64
	lastNS        int64
	before, after *kept
}

func (f *processFloor) add(e timed.Event) {
	id := visitOf(e)
	k := f.visits[id]
	if k == nil {
		k = f.newVisit(id)
	} else {
		k.before.after, k.after.before = k.after, k.before
	}
	n := k.slot(e.AtNS)
	if *n++; *n == 1 {
		f.timers.push(timer{dueNS(e.AtNS, id), id})
	}
	k.lastNS = f.nowNS
	k.before, k.after = f.list.before, &f.list
	k.before.after, f.list.before = k, k
}

func (f *processFloor) newVisit(id int64) *kept {
	k := new(kept)
	if n := len(f.spare); n > 0 {
		k, f.spare = f.spare[n-1], f.spare[:n-1]
	}
	*k = kept{id: id}
	f.visits[id] = k
	return k
}

// advance fires the timers that are due and forgets what is too old.
func (f *processFloor) advance(nowNS, watermarkNS int64) {
	f.nowNS = nowNS
	for len(f.timers) > 0 && f.timers[0].atNS <= watermarkNS {
		t := f.timers.pop()
		if k := f.visits[t.id]; k != nil && k.lastNS+int64(visitTTL) > nowNS {
			f.end.Row(uint64(t.id), t.atNS, *k.slot(t.atNS - slotNS))
		}
	}
	for k := f.list.after; k != &f.list && k.lastNS+int64(visitTTL) <= nowNS; k = f.list.after {
		f.list.after, k.after.before = k.after, &f.list
		delete(f.visits, k.id)
		f.spare = append(f.spare, k)
	}
}
