// Package timed is the input with event times that the benchmarks of operators and windows give to every contestant, and the hash
// of what comes out. Both contestants of a benchmark run this same code, so none of it is in their ratio's favour.
package timed

import (
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Event is a record: PerSecond of them are a second of event time, of Keys keys, at most Disorder behind the newest.
type Event struct {
	Key  string
	AtNS int64
	Val  int64 // 16 bits
}

// What the events are like.
const (
	Keys      = 10_000
	PerSecond = 100_000
	StepNS    = int64(time.Second) / PerSecond
	Disorder  = 50 * time.Millisecond
	StartNS   = 1_767_225_600_000_000_000 // 2026-01-01
)

var keys = func() (all [Keys]string) {
	for i := range all {
		all[i] = fmt.Sprintf("user-%010d", i)
	}
	return all
}()

// Number makes event i. Its time is at most Disorder before StartNS + i·StepNS.
func Number(i int64) Event {
	x := uint64(i) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
	x ^= x >> 29
	late := int64(x>>40) * int64(Disorder) >> 24
	return Event{Key: keys[x%Keys], AtNS: StartNS + i*StepNS - late, Val: int64(x >> 48)}
}

// User is the key.
func (e Event) User() string { return e.Key }

// At is the event time.
func (e Event) At() time.Time { return time.Unix(0, e.AtNS) }

// Value is what is added up.
func (e Event) Value() int64 { return e.Val }

// KeyHash is how a row's key goes into the output's hash.
func KeyHash(key string) uint64 { return xxhash.Sum64String(key) }

// End takes what comes out, in any order.
type End struct {
	Rows int64
	sum  uint64
}

// Row adds an output row to the hash: its key's hash and any two numbers of it.
func (e *End) Row(key uint64, a, b int64) {
	x := key ^ uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xd6e8feb86659fd93
	x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
	e.sum += x ^ x>>29
	e.Rows++
}

// Hash condenses the rows.
func (e *End) Hash() uint64 { return e.sum ^ uint64(e.Rows) }
