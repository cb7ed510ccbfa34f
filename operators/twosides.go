package operators

import (
	"errors"

	"github.com/millrace-io/millrace/state"
)

// twoSides is what joins in event time have in common: the records kept of both inputs, and where late ones go.
type twoSides[K comparable, T, U any] struct {
	env   *Env
	keyT  func(T) K
	keyU  func(U) K
	lines *state.Sides[K]
	left  *state.Side[K, T]
	right *state.Side[K, U]
	lateT func(T)
	lateU func(U)
}

// open makes the state. outputs are the side outputs that are read.
func (s *twoSides[K, T, U]) open(id string, left, right state.Keep, outputs map[string]any) error {
	var errs [6]error
	s.lines, errs[0] = state.NewSides[K](s.env.Store, id)
	if errs[0] == nil {
		s.left, errs[1] = state.NewSide[T](s.lines, 0, leftState, left)
		s.right, errs[2] = state.NewSide[U](s.lines, 1, rightState, right)
	}
	s.lateT, errs[3] = lateTo[T](s.env, outputs, LateLeft)
	s.lateU, errs[4] = lateTo[U](s.env, outputs, LateRight)
	errs[5] = onlySides(outputs, LateLeft, LateRight)
	return errors.Join(errs[:]...)
}
