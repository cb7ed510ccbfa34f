package millracetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// same compares two values as a test would; NaN is itself.
func same[U any](a, b U) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}

// equal compares in order, or as multisets.
func equal[U any](got, want []U, ordered bool, match func(got, want U) bool) bool {
	if len(got) != len(want) {
		return false
	}
	if ordered {
		return slices.EqualFunc(got, want, match)
	}
	used := make([]bool, len(got))
	first := 0 // all before it are used
	for _, w := range want {
		found := false
		for i := first; i < len(got) && !found; i++ {
			if !used[i] && match(got[i], w) {
				used[i], found = true, true
			}
		}
		if !found {
			return false
		}
		for first < len(used) && used[first] {
			first++
		}
	}
	return true
}

func values[U any](rs []Record[U]) []U {
	vs := make([]U, len(rs))
	for i := range rs {
		vs[i] = rs[i].Value
	}
	return vs
}

// linesMax bounds what an error shows.
const linesMax = 100

func lines[U any](rs []U) string {
	var b strings.Builder
	for i, r := range rs {
		if i == linesMax {
			fmt.Fprintf(&b, "\t… and %d more\n", len(rs)-i)
			break
		}
		fmt.Fprintf(&b, "\t%v\n", r)
	}
	if len(rs) == 0 {
		b.WriteString("\tnothing\n")
	}
	return b.String()
}
