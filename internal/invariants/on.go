//go:build race || invariants

package invariants

import "fmt"

// On says whether checks are compiled in.
const On = true

// Check panics with the formatted message when cond is false.
func Check(cond bool, format string, args ...any) {
	if !cond {
		panic("invariant: " + fmt.Sprintf(format, args...))
	}
}
