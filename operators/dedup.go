package operators

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/millrace-io/millrace/state"
)

// seenState is the name of the state of all kinds of dedup.
const seenState = "seen"

// dedupSpan is about how far event times are apart whose keys are kept together, when nothing says so: it decides how exactly the
// memory of keys follows the watermark, a 64th of it, and nothing else.
const dedupSpan = 10 * time.Second

// dedup passes the first record of a key.
type dedup[K comparable, T any] struct {
	env     *Env
	id      string
	key     func(T) K
	seen    *state.Seen[K]
	late    func(T)
	next    func(T)
	keepFor time.Duration
}

// Dedup passes the first record of each key, which contains the event time: an entry is dropped behind the watermark, where a
// record is late, and never new again.
func Dedup[K comparable, T any](e *Env, id string, key func(T) K, sides map[string]any, next func(T)) (func(T), error) {
	d, err := newDedup(e, id, dedupSpan, key, sides, next)
	if err != nil {
		return nil, err
	}
	return d.exact, nil
}

// DedupWithin passes a record of a key that none has come of in the time before: the first is remembered until the watermark
// reaches its event time plus within.
func DedupWithin[K comparable, T any](e *Env, id string, within time.Duration, key func(T) K, sides map[string]any, next func(T)) (func(T), error) {
	d, err := newDedup(e, id, within, key, sides, next)
	if err != nil {
		return nil, err
	}
	d.keepFor = within
	return d.within, nil
}

func newDedup[K comparable, T any](e *Env, id string, span time.Duration, key func(T) K, sides map[string]any, next func(T)) (*dedup[K, T], error) {
	seen, err := state.NewSeen[K](e.Store, id, seenState, span)
	if err != nil {
		return nil, err
	}
	late, err := lateTo[T](e, sides, LateSide)
	if err := errors.Join(err, onlySides(sides, LateSide)); err != nil {
		return nil, err
	}
	d := &dedup[K, T]{env: e, id: id, key: key, seen: seen, late: late, next: next}
	e.AddEventTimed(d)
	return d, nil
}

// FireEvent implements EventTimed: it makes room and emits nothing.
func (d *dedup[K, T]) FireEvent(n int) (more bool) { return d.seen.Forget(d.env.Clock.WatermarkNS, n) }

func (d *dedup[K, T]) exact(v T) {
	e := d.env
	at := e.TimeNS
	if at < e.Clock.WatermarkNS {
		d.late(v)
		return
	}
	until := at + 1 // gone when the watermark has passed at
	was, fresh := d.seen.Add(e.Hash, d.key(v), e.Clock.WatermarkNS, until)
	switch {
	case fresh:
		d.next(v)
	case was != until:
		panic(UserError{Operator: d.id, Key: fmt.Sprint(d.key(v)), Err: fmt.Errorf("its records are of %v and of %v, but the key of Dedup must contain the event time; "+
			"use DedupWithin or DedupTTL for keys without it", timeOf(was-1), timeOf(at))})
	default:
		e.Filtered++
	}
}

func timeOf(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func (d *dedup[K, T]) within(v T) {
	e := d.env
	if e.TimeNS < e.Clock.WatermarkNS {
		d.late(v)
		return
	}
	if _, fresh := d.seen.Add(e.Hash, d.key(v), e.Clock.WatermarkNS, Plus(e.TimeNS, d.keepFor)); !fresh {
		e.Filtered++
		return
	}
	d.next(v)
}

// dedupTTL is a dedup by processing time.
type dedupTTL[K comparable, T any] struct {
	env  *Env
	ttl  time.Duration
	key  func(T) K
	seen *state.Seen[K]
	next func(T)
}

// DedupTTL passes the first record of each key and forgets it ttl of processing time later.
func DedupTTL[K comparable, T any](e *Env, id string, ttl time.Duration, key func(T) K, next func(T)) (func(T), error) {
	seen, err := state.NewSeen[K](e.Store, id, seenState, ttl)
	if err != nil {
		return nil, err
	}
	d := &dedupTTL[K, T]{env: e, ttl: ttl, key: key, seen: seen, next: next}
	if ttl != state.Forever {
		e.AddTimed(d)
	}
	return d.pass, nil
}

func (d *dedupTTL[K, T]) pass(v T) {
	e, until := d.env, int64(math.MaxInt64)
	if d.ttl != state.Forever {
		until = Plus(e.Clock.NowNS, d.ttl)
	}
	if _, fresh := d.seen.Add(e.Hash, d.key(v), e.Clock.NowNS, until); !fresh {
		e.Filtered++
		return
	}
	d.next(v)
}

// Fire implements Timed: it makes room and emits nothing.
func (d *dedupTTL[K, T]) Fire(n int) int {
	if d.seen.Forget(d.env.Clock.NowNS, n) {
		return n
	}
	return 0
}

// NextNS implements Timed.
func (d *dedupTTL[K, T]) NextNS() int64 { return d.seen.NextNS() }
