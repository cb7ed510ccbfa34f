package workload

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// Draw says how keys are chosen.
type Draw uint8

const (
	// Uniform draws from all keys with equal chance.
	Uniform Draw = iota
	// MovingSet draws with equal chance from SetKeys neighbours; every SetEvery the set moves on by its own size, so that
	// an epoch of that interval finds them all changed and the next finds others.
	MovingSet
	// RoundRobin takes one key after the other: n records change n keys.
	RoundRobin
)

// Load is what a contestant is given. The same load gives the same records, except that times and, in a moving set, the
// moments of moving follow the clock.
type Load struct {
	Keys []string
	Draw Draw

	SetKeys  int           // MovingSet: size of the set
	SetEvery time.Duration // MovingSet: how long it stays

	RatePerSecond float64 // open loop; 0 is a closed loop: the next record follows as soon as the contestant takes it
	Records       int64   // stop after so many behind the fill; 0 is until Stop
}

// BatchRecords is how many records a batch holds, in every contestant.
const BatchRecords = 256

// LaneBatches is how many batches wait between two steps, in every contestant.
const LaneBatches = 16

// turnRecordsMax bounds what an open-loop source that was late emits before it looks at the clock again.
const turnRecordsMax = 1024

const seed = 88172645463325252

func (l Load) validate() error {
	switch {
	case len(l.Keys) == 0:
		return fmt.Errorf("load has no keys")
	case l.RatePerSecond < 0:
		return fmt.Errorf("load of %g records/s, want 0 (closed loop) or more", l.RatePerSecond)
	case l.Draw == MovingSet && (l.SetKeys < 1 || l.SetKeys > len(l.Keys) || l.SetEvery <= 0):
		return fmt.Errorf("moving set of %d of %d keys every %v, want 1 to %d and a time above 0", l.SetKeys, len(l.Keys), l.SetEvery, len(l.Keys))
	}
	return nil
}

// New makes a generator of the load; close it in the end.
func (l Load) New() (*Generator, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	g := &Generator{load: l, rng: seed, fill: int64(len(l.Keys)), set: uint64(l.SetKeys)}
	if l.RatePerSecond == 0 {
		return g, nil
	}
	g.periodNS = 1e9 / l.RatePerSecond
	var err error
	if g.pacer, err = harness.StartPacer(harness.DefaultTick); err != nil {
		return nil, fmt.Errorf("open loop: %w", err)
	}
	return g, nil
}
