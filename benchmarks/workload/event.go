// Package workload is the input that the in-process benchmarks give to every contestant, and the meter at their end. Both
// contestants of a benchmark run this same code, so none of it is in their ratio's favour.
package workload

import "fmt"

// Event is an input record's value.
type Event struct {
	Key    string
	EmitNS int64 // harness.NowNS of the source's turn that emitted it
	Val    int64 // the key's number
}

// Result is an output record's value: the running count of a key.
type Result struct {
	Key    string
	EmitNS int64 // that of the event which made it
	Count  int64
}

// Keys makes n keys of 15 bytes.
func Keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("user-%010d", i)
	}
	return keys
}
