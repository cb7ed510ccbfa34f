package operators

import (
	"cmp"
	"maps"
	"slices"
)

// The aggregations of windows. Each call makes one for the steps of a task.

func itself[A any](a *A) A { return *a }

// CountRecords counts.
func CountRecords[T any]() Aggregator[T, int64, int64] {
	return Aggregator[T, int64, int64]{
		Add:    func(n *int64, _ T, _ bool) { *n++ },
		Merge:  func(a, b int64) int64 { return a + b },
		Result: itself[int64],
	}
}

// SumOf adds f of the records.
func SumOf[T any, N Number](f func(T) N) Aggregator[T, N, N] {
	return Aggregator[T, N, N]{
		Add:    func(sum *N, v T, _ bool) { *sum += f(v) },
		Merge:  func(a, b N) N { return a + b },
		Result: itself[N],
	}
}

// MinOf is the smallest f of the records, a NaN if there is one.
func MinOf[T any, N cmp.Ordered](f func(T) N) Aggregator[T, N, N] {
	return ReduceOf(f, func(a, b N) N { return min(a, b) })
}

// MaxOf is the largest f of the records, a NaN if there is one.
func MaxOf[T any, N cmp.Ordered](f func(T) N) Aggregator[T, N, N] {
	return ReduceOf(f, func(a, b N) N { return max(a, b) })
}

// ReduceOf combines f of the records, two at a time; the first stands for itself.
func ReduceOf[T, N any](f func(T) N, join func(a, b N) N) Aggregator[T, N, N] {
	return Aggregator[T, N, N]{
		Add: func(a *N, v T, fresh bool) {
			if fresh {
				*a = f(v)
				return
			}
			*a = join(*a, f(v))
		},
		Merge:  join,
		Result: itself[N],
	}
}

// Mean is a sum and what it is the sum of.
type Mean struct {
	Sum float64
	N   int64
}

// MeanOf is the mean of f of the records.
func MeanOf[T any, N Number](f func(T) N) Aggregator[T, Mean, float64] {
	return Aggregator[T, Mean, float64]{
		Add:    func(m *Mean, v T, _ bool) { m.Sum, m.N = m.Sum+float64(f(v)), m.N+1 },
		Merge:  func(a, b Mean) Mean { return Mean{a.Sum + b.Sum, a.N + b.N} },
		Result: func(m *Mean) float64 { return m.Sum / float64(m.N) },
	}
}

// DistinctOf counts the different f of the records. It keeps them all.
func DistinctOf[T any, D comparable](f func(T) D) Aggregator[T, map[D]bool, int64] {
	return Aggregator[T, map[D]bool, int64]{
		Add: func(seen *map[D]bool, v T, _ bool) {
			if *seen == nil {
				*seen = map[D]bool{}
			}
			(*seen)[f(v)] = true
		},
		Merge: func(a, b map[D]bool) map[D]bool {
			both := make(map[D]bool, max(len(a), len(b)))
			maps.Copy(both, a)
			maps.Copy(both, b)
			return both
		},
		Result: func(seen *map[D]bool) int64 { return int64(len(*seen)) },
	}
}

// CollectedOf is f of the records, in the order they came within a slice of time and in the order of the slices.
func CollectedOf[T, U any](f func(T) U) Aggregator[T, []U, []U] {
	return Aggregator[T, []U, []U]{
		Add:    func(all *[]U, v T, _ bool) { *all = append(*all, f(v)) },
		Merge:  func(a, b []U) []U { return slices.Concat(a, b) },
		Result: func(all *[]U) []U { return slices.Clone(*all) },
	}
}

// FirstOf is the n records that are less than all others, the least first; of equals those that came first.
func FirstOf[T any](n int, less func(a, b T) bool) Aggregator[T, []T, []T] {
	add := func(top []T, v T) []T {
		at := len(top)
		for at > 0 && less(v, top[at-1]) {
			at--
		}
		if at == n {
			return top
		}
		if len(top) == n {
			top = top[:n-1]
		}
		return slices.Insert(top, at, v)
	}
	return Aggregator[T, []T, []T]{
		Add: func(top *[]T, v T, _ bool) { *top = add(*top, v) },
		Merge: func(a, b []T) []T {
			both := slices.Clone(a)
			for _, v := range b {
				both = add(both, v)
			}
			return both
		},
		Result: func(top *[]T) []T { return slices.Clone(*top) },
	}
}

// Folded is a user's own aggregation.
func Folded[T, A any](add func(A, T) A, merge func(a, b A) A) Aggregator[T, A, A] {
	return Aggregator[T, A, A]{
		Add:    func(a *A, v T, _ bool) { *a = add(*a, v) },
		Merge:  merge,
		Result: itself[A],
	}
}
