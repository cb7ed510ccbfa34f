package operators

import (
	"math"

	"github.com/millrace-io/millrace/state"
)

// AsOf gives each left record the version that its key had at its time: the right record with the greatest time that is not after
// it, and of several with that time the one that came last. A left record waits until the watermark has passed it; of the versions
// that the watermark has passed the newest of each key is kept.
type AsOf[K comparable, T, U, R any] struct {
	twoSides[K, T, U]
	make func(T, U, bool) R
	next func(R)
}

// NewAsOf makes an as-of join in one task. Its inputs are Left and Right.
func NewAsOf[K comparable, T, U, R any](e *Env, id string, left func(T) K, right func(U) K, match func(T, U, bool) R, sides map[string]any, next func(R)) (*AsOf[K, T, U, R], error) {
	j := &AsOf[K, T, U, R]{twoSides: twoSides[K, T, U]{env: e, keyT: left, keyU: right}, make: match, next: next}
	if err := j.open(id, state.Keep{Span: dedupSpan, Ordered: true}, state.Keep{For: -1, Newest: true, Span: dedupSpan}, sides); err != nil {
		return nil, err
	}
	e.AddEventTimed(j)
	return j, nil
}

// Left takes a record of the left input.
func (j *AsOf[K, T, U, R]) Left(v T) {
	if j.env.TimeNS < j.env.Clock.WatermarkNS {
		j.lateT(v)
		return
	}
	j.left.Add(j.lines.At(j.env.Hash, j.keyT(v)), j.env.TimeNS, v, false)
}

// Right takes a version.
func (j *AsOf[K, T, U, R]) Right(v U) {
	if j.env.TimeNS < j.env.Clock.WatermarkNS {
		j.lateU(v)
		return
	}
	j.right.Add(j.lines.At(j.env.Hash, j.keyU(v)), j.env.TimeNS, v, false)
}

// FireEvent implements EventTimed. Versions go after all left records that may want them.
func (j *AsOf[K, T, U, R]) FireEvent(limit int) (more bool) {
	wm := j.env.Clock.WatermarkNS
	for limit > 0 {
		if l, ok := j.left.Due(wm); ok {
			j.emit(l)
			limit--
			continue
		}
		n := j.right.Forget(wm, limit)
		if n == 0 {
			return false
		}
		limit -= n
	}
	return true
}

// emit sends the first left record of a line with its version.
func (j *AsOf[K, T, U, R]) emit(l state.Line) {
	var version U
	at := j.left.TimeNS(l, 0)
	_, n := j.right.Between(l, math.MinInt64, at)
	if n > 0 {
		u, _ := j.right.Get(l, n-1)
		version = *u
	}
	v, at, _ := takeFirst(j.env, j.lines, j.left, l)
	j.env.TimeNS = at
	j.next(j.make(v, version, n > 0))
}
