package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/millrace-io/millrace/internal/fault"
)

// kind is how a run of the job ends.
type kind uint8

const (
	atRandom kind = iota // a time after its first output
	early                // a time after its start
	atPoint              // by itself, at a point
	stopped              // stopped by a signal, with a second one started meanwhile that must be refused; then killed
	zombie               // stopped, and a second one goes on in its place; it is continued, and the second one is killed
)

// event is one kill.
type event struct {
	kind  kind
	after time.Duration
	point string
	hit   int // of the point
	tried int // times that the point was not met
}

// String says how the run ends.
func (e event) String() string {
	switch e.kind {
	case early:
		return fmt.Sprintf("kill %v behind the start", e.after)
	case atPoint:
		return fmt.Sprintf("kill at %s, hit %d", e.point, e.hit)
	case stopped:
		return fmt.Sprintf("stop %v behind the first output, refuse a second run, go on, kill", e.after)
	case zombie:
		return fmt.Sprintf("stop %v behind the first output, a second run in its place, continue both", e.after)
	}
	return fmt.Sprintf("kill %v behind the first output", e.after)
}

const (
	// earlyWithin of a start the job is still coming up.
	earlyWithin = 200 * time.Millisecond
	// earlyPart of the kills at least are that early.
	earlyPart = 4
	// pointPart and strangePart: at least one kill in so many is at a point, is a stop. With more of them the other points come again.
	pointPart, strangePart = 2, 15
	hitsMost               = 20
)

// plan makes the events of a campaign: each point as often as repeat says while that is at most half of the kills, early kills, stops, and
// random moments. Points of the first run come first.
func plan(random *rand.Rand, kills, repeat int, points *regexp.Regexp, checkpoint time.Duration) []event {
	var first, rest []event
	for range repeat {
		for _, p := range fault.Places() {
			switch {
			case !points.MatchString(p.Name):
			case p.When == fault.FirstRun && len(first) < 2: // there is one first run; the second goes on where it was
				first = append(first, event{kind: atPoint, point: p.Name, hit: 1})
			case p.When == fault.EachStart:
				rest = append(rest, event{kind: atPoint, point: p.Name, hit: 1})
			case p.When == fault.EachEpoch:
				rest = append(rest, event{kind: atPoint, point: p.Name, hit: 1 + random.IntN(hitsMost)})
			}
		}
	}
	shuffle(random, rest)
	rest = rest[:min(len(rest), max(kills/pointPart-len(first), 0))]
	for range max(2, kills/strangePart) {
		rest = append(rest, event{kind: zombie, after: within(random, 2*checkpoint)}, event{kind: stopped, after: within(random, 2*checkpoint)})
	}
	for range (kills + earlyPart - 1) / earlyPart {
		rest = append(rest, event{kind: early, after: within(random, earlyWithin)})
	}
	for len(first)+len(rest) < kills {
		rest = append(rest, event{kind: atRandom, after: within(random, 2*checkpoint)})
	}
	shuffle(random, rest)
	return slices.Concat(first, rest)[:kills]
}

func within(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

func shuffle(random *rand.Rand, all []event) {
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}
