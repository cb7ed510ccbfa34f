package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Options say which run.
type Options struct {
	Seed    uint64
	Without []string // faults and operators that are left out of what the seed draws
	Records int      // at most so many in each split; 0: what the seed draws
	Unalign bool     // epochs are cut ahead of barriers, as soon as the seed draws; else never
	Log     io.Writer
}

// String is o as flags of the test.
func (o Options) String() string {
	s := fmt.Sprintf("-seed %d", o.Seed)
	if len(o.Without) > 0 {
		s += " -without " + strings.Join(o.Without, ",")
	}
	if o.Records > 0 {
		s += fmt.Sprintf(" -records %d", o.Records)
	}
	if o.Unalign {
		s += " -unalign"
	}
	return s
}

// Faults that a swarm draws.
const (
	crash      = "crash"      // the process ends; what it wrote is there
	powerCut   = "powercut"   // and what was not synced is gone
	zombie     = "zombie"     // another process takes over while this one goes on
	stop       = "stop"       // a clean stop, and a start
	rescale    = "rescale"    // each start has another parallelism
	storeFails = "storefails" // an operation of the store fails and has no effect
	storeLost  = "storelost"  // it fails and has had its effect
	storeSlow  = "storeslow"
	sinkFails  = "sinkfails"
	sinkLost   = "sinklost" // a commit fails and took place
	sinkSlow   = "sinkslow"
	readFails  = "readfails"
	panics     = "panics"  // of an operator's function
	refuses    = "refuses" // a lane refuses although it has room
)

var faults = []string{crash, powerCut, zombie, stop, rescale, storeFails, storeLost, storeSlow, sinkFails, sinkLost, sinkSlow, readFails, panics, refuses}

// swarm is what a seed draws before the first step.
type swarm struct {
	rate  map[string]float64 // of faults, for each chance they have; those that are off are missing
	steps int                // of the phase with faults

	sources, splits, records, keys int
	skew                           float64 // how much more often a key comes than the next
	gap                            time.Duration
	polls                          bool // sources are polled

	parallelism, keyGroups, batch, lane    int
	commitEvery, checkpointEvery, timeout  time.Duration
	tick                                   time.Duration // the longest step
	epochFailures, restarts, folds, retain int
	pace                                   int // of encoding
	unalignAfter                           time.Duration
	foldBytes, inlineBytes                 int64
	weights                                [8]float64 // by which steps are drawn
	fences                                 bool       // the outside refuses writers of older attempts
	first                                  []string   // steps between the sources and the branches
	branches                               []branch
	oneSink                                bool
}

// branch is an operator on the stream, perhaps a count behind it, and a sink.
type branch struct {
	op      string
	counted bool
}

// chances are the rates at which faults come when they come, for each chance they have.
var chances = map[string]float64{
	crash: 0.002, powerCut: 0.002, zombie: 0.001, stop: 0.001, rescale: 1, storeFails: 0.02, storeLost: 0.05, storeSlow: 0.2,
	sinkFails: 0.01, sinkLost: 0.05, sinkSlow: 0.1, readFails: 0.01, panics: 0.001, refuses: 0.05,
}

func draw(o Options) swarm {
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	from := func(n ...int) int { return n[rng.IntN(len(n))] }
	in := func(a, b time.Duration) time.Duration { return a + time.Duration(rng.Int64N(int64(b-a))) }
	s := swarm{rate: map[string]float64{}, steps: from(300, 1000, 3000, 10000)}
	for _, f := range faults {
		on, scale := rng.IntN(2) == 0, 0.5+3*rng.Float64()*rng.Float64()
		if on && !slices.Contains(o.Without, f) {
			s.rate[f] = chances[f] * scale
		}
	}
	s.sources, s.splits, s.records, s.keys = from(1, 1, 2), from(1, 2, 3), from(10, 40, 40, 120, 300), from(1, 3, 10, 40, 400)
	s.skew = 1 + rng.Float64()*rng.Float64()*4
	s.gap, s.polls = time.Duration(from(0, 0, 200, 1000, 3000))*time.Microsecond, rng.IntN(3) == 0
	s.parallelism, s.keyGroups = from(1, 2, 3, 4), from(4, 8, 128)
	s.batch, s.lane = from(1, 2, 3, 8, 64), from(1, 2, 4, 64)
	s.commitEvery = in(10*time.Millisecond, time.Duration(from(11, 15, 40))*time.Millisecond)
	s.checkpointEvery = s.commitEvery + time.Duration(from(0, 0, 5, 60))*time.Millisecond
	s.timeout = in(20*time.Millisecond, time.Second)
	s.tick = time.Duration(from(10, 30, 100, 300)) * time.Microsecond
	s.epochFailures, s.restarts, s.folds, s.retain = from(1, 2, 3), from(1, 5, 10), from(2, 2, 3, 8), from(2, 2, 4)
	s.unalignAfter = -1
	if o.Unalign {
		s.unalignAfter = time.Duration(from(2, 10, 50)) * time.Millisecond
	}
	s.pace, s.foldBytes, s.inlineBytes = from(0, 1, 3), int64(from(0, 100, 300, 1000)), int64(from(-1, 0, 0, 200, 1000))
	s.gap = min(s.gap, 400*time.Millisecond/time.Duration(s.records))
	for i := range s.weights {
		s.weights[i] = 1 / float64(from(1, 1, 1, 4, 20))
	}
	s.fences, s.oneSink = rng.IntN(2) == 0, rng.IntN(3) == 0
	s.drawSteps(rng, o)
	if o.Records > 0 {
		s.records = min(s.records, o.Records)
	}
	return s
}

// drawSteps draws the operators.
func (s *swarm) drawSteps(rng *rand.Rand, o Options) {
	for _, step := range []string{opShake, opFilter, opRebalance} {
		if rng.IntN(3) == 0 && !slices.Contains(o.Without, step) {
			s.first = append(s.first, step)
		}
	}
	for range 1 + rng.IntN(3) {
		b := branch{op: operators[rng.IntN(len(operators))], counted: rng.IntN(4) == 0}
		if !slices.Contains(o.Without, b.op) && !slices.ContainsFunc(s.branches, func(c branch) bool { return c.op == b.op }) {
			s.branches = append(s.branches, b)
		}
	}
	if len(s.branches) == 0 {
		s.branches = []branch{{op: opPass}}
	}
}

// String is the swarm for a person.
func (s swarm) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sources of %d splits of %d records, %d keys, skew %.1f, gap %v, polls %t\n", s.sources, s.splits, s.records, s.keys, s.skew, s.gap, s.polls)
	fmt.Fprintf(&b, "parallelism %d, key groups %d, batch %d, lane %d, epochs %v, folds %v, timeout %v, step at most %v, fences %t\n",
		s.parallelism, s.keyGroups, s.batch, s.lane, s.commitEvery, s.checkpointEvery, s.timeout, s.tick, s.fences)
	fmt.Fprintf(&b, "steps %v, then %v, one sink %t; %d steps with faults:", s.first, s.branches, s.oneSink, s.steps)
	for _, f := range faults {
		if r := s.rate[f]; r > 0 {
			fmt.Fprintf(&b, " %s %.4f", f, r)
		}
	}
	return b.String()
}
