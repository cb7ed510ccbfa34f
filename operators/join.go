package operators

import (
	"time"

	"github.com/millrace-io/millrace/state"
)

// Within bounds a join in time: a left record meets the right ones from Before before its event time to After after it, both
// inclusive. One of them may be negative, to leave out what is near. The zero Within is equality of the times.
type Within struct{ Before, After time.Duration }

// right is the times of the right records that a left one of time ns meets.
func (w Within) right(ns int64) (from, to int64) { return shift(ns, -w.Before), shift(ns, w.After) }

// left is the times of the left records that a right one of time ns meets.
func (w Within) left(ns int64) (from, to int64) { return shift(ns, -w.After), shift(ns, w.Before) }

// shift is ns + d without wrapping around.
func shift(ns int64, d time.Duration) int64 {
	if d < 0 {
		return Minus(ns, -max(d, -time.Duration(TimeMaxNS)))
	}
	return Plus(ns, d)
}

// JoinKind says what becomes of records.
type JoinKind struct {
	LeftAlone  bool // left records that met none are emitted
	RightAlone bool // and right ones
	// Once emits a left record by itself: at its first match or, with LeftAlone, when none can come.
	Once bool
}

// The kinds of joins.
var (
	InnerJoin = JoinKind{}
	LeftJoin  = JoinKind{LeftAlone: true}
	RightJoin = JoinKind{RightAlone: true}
	FullJoin  = JoinKind{LeftAlone: true, RightAlone: true}
	SemiJoin  = JoinKind{Once: true}
	AntiJoin  = JoinKind{Once: true, LeftAlone: true}
)

// Match makes a join's result; a side that is absent has its zero value and false.
type Match[T, U, R any] func(left T, hasLeft bool, right U, hasRight bool) R

// The names of the state of joins.
const (
	leftState  = "left"
	rightState = "right"
)

// Join is a join of two streams bounded in time. Each record is kept as long as one that meets it can come, and meets those of the
// other side that are kept when it comes, so each pair meets once. A record that met none is emitted when the watermark says that
// none can come.
//
// A result has the event time of the later of its two records, which is not behind the watermark, and a record alone the last time
// at which one it meets could have been: what it was before is behind the watermark by then.
type Join[K comparable, T, U, R any] struct {
	twoSides[K, T, U]
	kind   JoinKind
	within Within
	make   Match[T, U, R]
	next   func(R)
}

// NewJoin makes a join in one task. Its inputs are Left and Right.
func NewJoin[K comparable, T, U, R any](e *Env, id string, kind JoinKind, w Within, left func(T) K, right func(U) K, match Match[T, U, R], sides map[string]any, next func(R)) (*Join[K, T, U, R], error) {
	j := &Join[K, T, U, R]{twoSides: twoSides[K, T, U]{env: e, keyT: left, keyU: right}, kind: kind, within: w, make: match, next: next}
	span := max(w.Before, w.After)
	keepLeft, keepRight := state.Keep{For: w.After, Span: span, Ordered: kind.LeftAlone}, state.Keep{For: w.Before, Span: span, Ordered: kind.RightAlone}
	if err := j.open(id, keepLeft, keepRight, sides); err != nil {
		return nil, err
	}
	e.AddEventTimed(j)
	return j, nil
}

// Left takes a record of the left input.
func (j *Join[K, T, U, R]) Left(v T) {
	e := j.env
	at, wm := e.TimeNS, e.Clock.WatermarkNS
	if at < wm {
		j.lateT(v)
		return
	}
	l := j.lines.At(e.Hash, j.keyT(v))
	from, to := j.within.right(at)
	i, n := j.right.Between(l, from, to)
	matched := i < n
	if matched && j.kind.Once {
		e.TimeNS = max(at, j.right.TimeNS(l, i))
		j.once(v)
		e.TimeNS = at
		return
	}
	for ; i < n; i++ {
		u, marked := j.right.Get(l, i)
		r := j.make(v, true, *u, true)
		if j.kind.RightAlone && !marked {
			j.right.Mark(l, i)
		}
		j.send(r, max(at, j.right.TimeNS(l, i)))
	}
	e.TimeNS = at
	if to >= wm {
		j.left.Add(l, at, v, matched)
		return
	}
	j.lines.Release(l) // what it meets would be late
	if !matched {
		j.leftAlone(v, at)
		e.TimeNS = at
	}
}

// once is a left record of a semi or anti join that met one.
func (j *Join[K, T, U, R]) once(v T) {
	if j.kind.LeftAlone {
		j.env.Filtered++
		return
	}
	var none U
	j.next(j.make(v, true, none, false))
}

// Right takes a record of the right input.
func (j *Join[K, T, U, R]) Right(v U) {
	e := j.env
	at, wm := e.TimeNS, e.Clock.WatermarkNS
	if at < wm {
		j.lateU(v)
		return
	}
	l := j.lines.At(e.Hash, j.keyU(v))
	from, to := j.within.left(at)
	i, n := j.left.Between(l, from, to)
	if j.kind.Once {
		j.rightOnce(l, at, i, n, to >= wm)
		e.TimeNS = at
		return
	}
	matched := i < n
	for ; i < n; i++ {
		t, marked := j.left.Get(l, i)
		r := j.make(*t, true, v, true)
		if j.kind.LeftAlone && !marked {
			j.left.Mark(l, i)
		}
		j.send(r, max(at, j.left.TimeNS(l, i)))
	}
	e.TimeNS = at
	if to >= wm {
		j.right.Add(l, at, v, matched)
		return
	}
	j.lines.Release(l)
	if !matched {
		j.rightAlone(v, at)
		e.TimeNS = at
	}
}

// rightOnce is a right record of a semi or anti join: the left ones at [i, n) are done with. Of the right ones it matters only at
// which times there are any.
func (j *Join[K, T, U, R]) rightOnce(l state.Line, at int64, i, n int, keep bool) {
	if j.kind.LeftAlone {
		j.env.Filtered += int64(n - i)
	} else {
		for k := i; k < n; k++ {
			t, _ := j.left.Get(l, k)
			j.env.TimeNS = max(at, j.left.TimeNS(l, k))
			j.once(*t)
		}
	}
	if i < n {
		j.left.Remove(l, i, n)
	}
	if from, to := j.right.Between(l, at, at); keep && from == to {
		var none U
		j.right.Add(l, at, none, true)
	}
	j.lines.Release(l)
}

// leftAlone is a left record that met none, and none can come.
func (j *Join[K, T, U, R]) leftAlone(v T, at int64) {
	switch {
	case j.kind.LeftAlone:
		var none U
		j.send(j.make(v, true, none, false), max(at, shift(at, j.within.After)))
	case j.kind.Once:
		j.env.Filtered++
	}
}

func (j *Join[K, T, U, R]) rightAlone(v U, at int64) {
	if j.kind.RightAlone {
		var none T
		j.send(j.make(none, false, v, true), max(at, shift(at, j.within.Before)))
	}
}

func (j *Join[K, T, U, R]) send(r R, at int64) {
	j.env.TimeNS = at
	j.next(r)
}

// FireEvent implements EventTimed: records that none can come for any more leave.
func (j *Join[K, T, U, R]) FireEvent(limit int) (more bool) {
	for limit > 0 {
		n := 0
		if wm := j.env.Clock.WatermarkNS; j.right.DueNS(wm) < j.left.DueNS(wm) {
			n = j.fireRight(limit)
		}
		if n == 0 {
			n = j.fireLeft(limit)
		}
		if n == 0 {
			n = j.fireRight(limit)
		}
		if n == 0 {
			return false
		}
		limit -= n
	}
	return true
}

// fireLeft lets the left record go that is due first, or about limit of them when they go without a word.
func (j *Join[K, T, U, R]) fireLeft(limit int) (n int) {
	if !j.kind.LeftAlone {
		n = j.left.Forget(j.env.Clock.WatermarkNS, limit)
		if j.kind.Once {
			j.env.Filtered += int64(n)
		}
		return n
	}
	l, ok := j.left.Due(j.env.Clock.WatermarkNS)
	if !ok {
		return 0
	}
	v, at, marked := takeFirst(j.env, j.lines, j.left, l)
	if !marked {
		j.leftAlone(v, at)
	}
	return 1
}

func (j *Join[K, T, U, R]) fireRight(limit int) (n int) {
	if !j.kind.RightAlone {
		return j.right.Forget(j.env.Clock.WatermarkNS, limit)
	}
	l, ok := j.right.Due(j.env.Clock.WatermarkNS)
	if !ok {
		return 0
	}
	v, at, marked := takeFirst(j.env, j.lines, j.right, l)
	if !marked {
		j.rightAlone(v, at)
	}
	return 1
}

// takeFirst takes out the first record of a line that is due, and makes its key the one in hand.
func takeFirst[K comparable, V any](e *Env, lines *state.Sides[K], s *state.Side[K, V], l state.Line) (v V, atNS int64, marked bool) {
	_, e.Hash = lines.Key(l)
	p, marked := s.Get(l, 0)
	v, atNS = *p, s.TimeNS(l, 0)
	s.Remove(l, 0, 1)
	s.Done(l)
	return v, atNS, marked
}
