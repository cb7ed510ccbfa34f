package operators

import (
	"fmt"
	"slices"
	"strings"
)

// The side outputs that take late records of operators with one and two inputs.
const (
	LateSide  = "late"
	LateLeft  = "late-left"
	LateRight = "late-right"
)

// lateTo is what an operator does with a late record: its side output takes it, if that is read; else it is counted and dropped.
func lateTo[T any](e *Env, sides map[string]any, name string) (func(T), error) {
	switch f := sides[name].(type) {
	case nil:
		return func(T) { e.Late++ }, nil
	case func(T):
		return f, nil
	}
	var zero T
	return nil, fmt.Errorf("side output %q has records of %T, and is read as another type", name, zero)
}

// onlySides refuses readers of side outputs that an operator does not have.
func onlySides(sides map[string]any, names ...string) error {
	var unknown []string
	for name := range sides {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("no side output %q; it has %s", unknown[0], strings.Join(names, ", "))
}
