package main

import (
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// sessionGap is longer than most and shorter than some of the pauses between two records of a key, 100 ms on average: a session has
// about 20 records.
const sessionGap = 300 * time.Millisecond

// sessionCases are sums over session windows, emitted when the watermark passes their end.
var sessionCases = []Case{{
	Name: "session 300 ms", Records: 6_000_000,
	Floor: func(n int64, e *timed.End) {
		f := &sessionFloor{keys: map[string]*sessionKey{}, end: e}
		var newest int64
		for i := range n {
			v := timed.Number(i)
			f.add(v)
			if newest = max(newest, v.AtNS); i&255 == 255 {
				f.advance(newest - int64(timed.Disorder))
			}
		}
		f.advance(1<<63 - 1)
	},
	Millrace: func(in millrace.Stream[timed.Event], e *timed.End) {
		in.KeyBy(timed.Event.User).
			Window(millrace.Session{Gap: sessionGap}).
			Sum("sum", timed.Event.Value).
			To("end", timed.Each(func(p millrace.Pane[string, int64]) {
				e.Row(timed.KeyHash(p.Key), p.Start.UnixNano(), p.Value)
			}), millrace.Append)
	},
}}

// sessionFloor is the hand-written loop: the open sessions of each key, and a wheel of keys to look at, a spoke for each tenth of
// the gap.
type sessionFloor struct {
	keys  map[string]*sessionKey
	wheel [spokes][]*sessionKey
	tick  int64 // the spoke that is looked at next
	begun bool
	end   *timed.End
}

const (
	spokes  = 64
	spokeNS = int64(sessionGap) / 10
)

type sessionKey struct {
	key  string
	open []openSession // by their times
}

type openSession struct{ from, to, sum int64 } // to is the last record

func (f *sessionFloor) add(v timed.Event) {
	k := f.keys[v.Key]
	if k == nil {
		k = &sessionKey{key: v.Key}
		f.keys[v.Key] = k
		f.look(k, v.AtNS)
	}
	i := len(k.open) - 1
	for i >= 0 && k.open[i].from >= v.AtNS+int64(sessionGap) {
		i--
	}
	switch {
	case i < 0 || k.open[i].to+int64(sessionGap) <= v.AtNS:
		k.open = append(k.open, openSession{})
		copy(k.open[i+2:], k.open[i+1:])
		k.open[i+1] = openSession{v.AtNS, v.AtNS, v.Val}
		return
	}
	s := &k.open[i]
	s.from, s.to, s.sum = min(s.from, v.AtNS), max(s.to, v.AtNS), s.sum+v.Val
	if i > 0 && k.open[i-1].to+int64(sessionGap) > s.from {
		before := &k.open[i-1]
		before.to, before.sum = s.to, before.sum+s.sum
		k.open = append(k.open[:i], k.open[i+1:]...)
	}
}

// look puts a key onto the spoke of the time at which its first session may end.
func (f *sessionFloor) look(k *sessionKey, lastNS int64) {
	at := (lastNS + int64(sessionGap)) / spokeNS
	if !f.begun {
		f.tick, f.begun = at-spokes/2, true
	}
	at = max(at, f.tick)
	f.wheel[at%spokes] = append(f.wheel[at%spokes], k)
}

// advance emits the sessions that end before the spoke of the watermark.
func (f *sessionFloor) advance(watermark int64) {
	for f.begun && len(f.keys) > 0 && f.tick < watermark/spokeNS {
		spoke := f.wheel[f.tick%spokes]
		f.wheel[f.tick%spokes] = nil
		f.tick++
		for _, k := range spoke {
			f.close(k, f.tick*spokeNS)
		}
		if f.wheel[(f.tick-1)%spokes] == nil {
			f.wheel[(f.tick-1)%spokes] = spoke[:0]
		}
	}
}

func (f *sessionFloor) close(k *sessionKey, until int64) {
	for len(k.open) > 0 && k.open[0].to+int64(sessionGap) <= until {
		s := k.open[0]
		f.end.Row(timed.KeyHash(k.key), s.from, s.sum)
		k.open = k.open[:copy(k.open, k.open[1:])]
	}
	if len(k.open) == 0 {
		delete(f.keys, k.key)
		return
	}
	f.look(k, k.open[0].to)
}
