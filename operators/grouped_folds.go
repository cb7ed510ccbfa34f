package operators

import (
	"cmp"
	"slices"
)

// Number is what can be added.
type Number interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~float32 | ~float64
}

func equals[V comparable](a, b V) bool { return a == b }

// GroupCount is the number of values in a group. It keeps nothing but that.
func GroupCount[V any]() GroupFold[V, struct{}, int64] {
	nothing := func(*struct{}, V) {}
	return GroupFold[V, struct{}, int64]{
		Add: nothing, Remove: nothing, Same: equals[int64],
		Result: func(n int64, _ *struct{}) int64 { return n },
	}
}

// GroupSum is the sum of f of the values. Floats keep the rounding errors of what has left until the group is empty.
func GroupSum[V any, N Number](f func(V) N) GroupFold[V, N, N] {
	return GroupFold[V, N, N]{
		Add:    func(sum *N, v V) { *sum += f(v) },
		Remove: func(sum *N, v V) { *sum -= f(v) },
		Result: func(_ int64, sum *N) N { return *sum },
		Same:   equals[N],
	}
}

// GroupAvg is the mean of f of the values.
func GroupAvg[V any, N Number](f func(V) N) GroupFold[V, N, float64] {
	sum := GroupSum(f)
	return GroupFold[V, N, float64]{
		Add: sum.Add, Remove: sum.Remove, Same: equals[float64],
		Result: func(n int64, sum *N) float64 { return float64(*sum) / float64(n) },
	}
}

// Tally is how often a value is in a group.
type Tally[N any] struct {
	Value N
	Times int64
}

// GroupMin is the least of f of the values. It keeps each different one, in order, since the next least shows when the least leaves.
func GroupMin[V any, N cmp.Ordered](f func(V) N) GroupFold[V, []Tally[N], N] {
	return groupExtreme(f, cmp.Compare[N])
}

// GroupMax is the greatest of f of the values, kept like those of GroupMin.
func GroupMax[V any, N cmp.Ordered](f func(V) N) GroupFold[V, []Tally[N], N] {
	return groupExtreme(f, func(a, b N) int { return cmp.Compare(b, a) })
}

// groupExtreme is the first value in an order.
func groupExtreme[V any, N cmp.Ordered](f func(V) N, compare func(a, b N) int) GroupFold[V, []Tally[N], N] {
	change := func(by int64) func(*[]Tally[N], V) {
		return func(all *[]Tally[N], v V) {
			n := f(v)
			i, ok := slices.BinarySearchFunc(*all, n, func(t Tally[N], n N) int { return compare(t.Value, n) })
			if !ok {
				*all = slices.Insert(*all, i, Tally[N]{Value: n})
			}
			if (*all)[i].Times += by; (*all)[i].Times == 0 {
				*all = slices.Delete(*all, i, i+1)
			}
		}
	}
	return GroupFold[V, []Tally[N], N]{
		Add: change(1), Remove: change(-1), Same: equals[N],
		Result: func(_ int64, all *[]Tally[N]) (first N) {
			for _, t := range *all {
				if t.Times > 0 {
					return t.Value
				}
			}
			return first
		},
	}
}
