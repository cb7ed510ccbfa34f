package operators

import (
	"math"
	"math/bits"
	"time"
)

// grid divides event time into slices, and says which slices a pane is made of: pane p of slices parts*p to parts*p+width-1.
type grid interface {
	// shape is how many slices a pane is made of, and how many begin before the next pane does: 1 or 2.
	shape() (width, parts int64)
	// locate is the slice of a time and where it begins and ends; false: no pane covers it.
	locate(ns int64) (slice, fromNS, toNS int64, ok bool)
	// pane is where a pane begins and ends. An end beyond what can be said is math.MaxInt64, the final watermark.
	pane(p int64) (startNS, endNS int64)
	// open is the first pane that ends after ns.
	open(ns int64) int64
	// time is how a pane's start or end is shown.
	time(ns int64) time.Time
}

// Grid is a division of event time.
type Grid struct{ grid }

// sliding has panes of size, one beginning every slide. Each slide is one slice if size is a multiple of it, otherwise two, divided
// where a pane ends: the fewest slices that panes can be made of (Krishnamurthy, Wu, Franklin: On-the-fly sharing for streamed
// aggregation, SIGMOD 2006, "paired windows").
type sliding struct{ size, slide, offset, rest int64 }

// Sliding is the grid of windows of size, one beginning every slide, at offset from the Unix epoch. Tumbling windows are those whose
// slide is their size.
func Sliding(size, slide, offset time.Duration) Grid {
	s := sliding{int64(size), int64(slide), int64(offset), int64(size) % int64(slide)}
	_, s.offset = divide(s.offset, s.slide)
	return Grid{s}
}

// divide is a / b and its rest, rounded down.
func divide(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

func (g sliding) shape() (width, parts int64) {
	if g.rest == 0 {
		return g.size / g.slide, 1
	}
	return g.size/g.slide*2 + 1, 2
}

// slot is the number of the slide that ns lies in, and how far.
func (g sliding) slot(ns int64) (q, r int64) {
	q, r = divide(ns, g.slide)
	if r -= g.offset; r < 0 {
		q, r = q-1, r+g.slide
	}
	return q, r
}

func (g sliding) locate(ns int64) (slice, fromNS, toNS int64, ok bool) {
	q, r := g.slot(ns)
	switch {
	case g.rest == 0:
		return q, below(ns, r), above(ns, g.slide-r), true
	case r < g.rest:
		return 2 * q, below(ns, r), above(ns, g.rest-r), true
	}
	return 2*q + 1, below(ns, r-g.rest), above(ns, g.slide-r), g.size > g.slide
}

// below and above are sums that stop at the ends of time, n not negative.
func below(ns, n int64) int64 {
	if ns < math.MinInt64+n {
		return math.MinInt64
	}
	return ns - n
}

func above(ns, n int64) int64 {
	if ns > math.MaxInt64-n {
		return math.MaxInt64
	}
	return ns + n
}

func (g sliding) pane(p int64) (startNS, endNS int64) {
	return max(TimeMinNS, product(p, g.slide, g.offset)), product(p, g.slide, g.offset+g.size)
}

// product is a*b+c, b positive, kept within what can be said.
func product(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a < 0 {
		hi -= uint64(b)
	}
	lo, carry := bits.Add64(lo, uint64(c), 0)
	hi, _ = bits.Add64(hi, uint64(c>>63), carry)
	switch {
	case int64(hi) == int64(lo)>>63:
		return int64(lo)
	case int64(hi) < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func (g sliding) open(ns int64) int64 {
	q, r := g.slot(ns)
	n, _ := divide(r-g.size, g.slide)
	return q + n + 1
}

func (g sliding) time(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// global is one pane for all time.
type global struct{}

// Global is the grid of one window for all time. It ends with the input.
func Global() Grid { return Grid{global{}} }

func (global) shape() (width, parts int64) { return 1, 1 }
func (global) locate(int64) (slice, fromNS, toNS int64, ok bool) {
	return 0, math.MinInt64, math.MaxInt64, true
}
func (global) pane(int64) (startNS, endNS int64) { return TimeMinNS, math.MaxInt64 }
func (global) open(int64) int64                  { return 0 }
func (global) time(int64) time.Time              { return time.Time{} }
