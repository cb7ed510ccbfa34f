package millracetest

import (
	"fmt"
	"testing"

	"github.com/millrace-io/millrace"
)

// Complaints is what Run would have failed the test with.
func Complaints[T, U any](t *testing.T, topology func(millrace.Stream[T]) millrace.Stream[U], in ...T) (all []string) {
	t.Helper()
	complain := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	check(t, complain, topology, in)
	return all
}

// Differs is what Output.Want would have failed the test with.
func Differs[U any](got, want []U) bool {
	return !equal(got, want, false, same[U])
}
