package harness

import (
	"math"
	"slices"
)

// ratio is a/b, NaN when b is nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// median of the values that are numbers, and how many they are; NaN of none.
func median(values []float64) (m float64, n int) {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if n = len(v); n == 0 {
		return math.NaN(), 0
	}
	slices.Sort(v)
	if n%2 == 1 {
		return v[n/2], n
	}
	return (v[n/2-1] + v[n/2]) / 2, n
}

// medianOf is the median over the items for which f has a number.
func medianOf[T any](items []T, f func(T) float64) (m float64, n int) {
	values := make([]float64, len(items))
	for i, x := range items {
		values[i] = f(x)
	}
	return median(values)
}
