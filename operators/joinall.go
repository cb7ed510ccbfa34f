package operators

import (
	"errors"
	"math"
	"time"

	"github.com/millrace-io/millrace/state"
)

// JoinAll is an inner join without a bound in event time: each record meets all of its key on the other side that came before it
// and are kept, which is for a time to live, by processing time, or for ever. It waits for no watermark, and no record is late.
type JoinAll[K comparable, T, U, R any] struct {
	env   *Env
	ttl   time.Duration
	keyT  func(T) K
	keyU  func(U) K
	lines *state.Sides[K]
	left  *state.Side[K, dated[T]]
	right *state.Side[K, dated[U]]
	make  func(T, U) R
	next  func(R)
}

// dated is a record with its event time. Among those of its key it stands by when it came.
type dated[T any] struct {
	EventNS int64
	Value   T
}

// NewJoinAll makes the join in one task. Its inputs are Left and Right.
func NewJoinAll[K comparable, T, U, R any](e *Env, id string, ttl time.Duration, left func(T) K, right func(U) K, match func(T, U) R, next func(R)) (*JoinAll[K, T, U, R], error) {
	j := &JoinAll[K, T, U, R]{env: e, ttl: ttl, keyT: left, keyU: right, make: match, next: next}
	keep := state.Keep{For: ttl - 1, Forever: ttl == state.Forever}
	var errs [3]error
	j.lines, errs[0] = state.NewSides[K](e.Store, id)
	if errs[0] == nil {
		j.left, errs[1] = state.NewSide[dated[T]](j.lines, 0, leftState, keep)
		j.right, errs[2] = state.NewSide[dated[U]](j.lines, 1, rightState, keep)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if ttl != state.Forever {
		e.AddTimed(j)
	}
	return j, nil
}

// oldest is when a record came that is not yet past its time to live.
func (j *JoinAll[K, T, U, R]) oldest() int64 {
	if j.ttl == state.Forever {
		return math.MinInt64
	}
	return j.env.Clock.NowNS - int64(j.ttl) + 1
}

// Left takes a record of the left input.
func (j *JoinAll[K, T, U, R]) Left(v T) {
	e, at := j.env, j.env.TimeNS
	l := j.lines.At(e.Hash, j.keyT(v))
	for i, n := j.right.Between(l, j.oldest(), math.MaxInt64); i < n; i++ {
		u, _ := j.right.Get(l, i)
		e.TimeNS = max(at, u.EventNS)
		j.next(j.make(v, u.Value))
	}
	e.TimeNS = at
	j.left.Add(l, e.Clock.NowNS, dated[T]{at, v}, false)
}

// Right takes a record of the right input.
func (j *JoinAll[K, T, U, R]) Right(v U) {
	e, at := j.env, j.env.TimeNS
	l := j.lines.At(e.Hash, j.keyU(v))
	for i, n := j.left.Between(l, j.oldest(), math.MaxInt64); i < n; i++ {
		t, _ := j.left.Get(l, i)
		e.TimeNS = max(at, t.EventNS)
		j.next(j.make(t.Value, v))
	}
	e.TimeNS = at
	j.right.Add(l, e.Clock.NowNS, dated[U]{at, v}, false)
}

// Fire implements Timed: it makes room and emits nothing.
func (j *JoinAll[K, T, U, R]) Fire(limit int) (n int) {
	now := j.env.Clock.NowNS
	if n = j.left.Forget(now, limit); n < limit {
		n += j.right.Forget(now, limit-n)
	}
	return min(n, limit)
}

// NextNS implements Timed.
func (j *JoinAll[K, T, U, R]) NextNS() int64 { return min(j.left.NextNS(), j.right.NextNS()) }
