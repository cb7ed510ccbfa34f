package operators

import (
	"math"
	"time"
)

// Period is the unit of calendar windows.
type Period uint8

// The units of calendar windows. A week begins on Monday.
const (
	Day Period = iota + 1
	Week
	Month
)

// calendar has panes of a number of local days, weeks or months.
type calendar struct {
	every Period
	count int64
	in    *time.Location
}

// Calendar is the grid of windows of so many days, weeks or months each as clocks in a place show them. They are counted from
// 1 January 1970; weeks begin on Monday, and the first is the one from 29 December 1969. A window begins at the first moment
// of its first day, whatever hour that is; a day may have 23 or 25 hours, or none.
func Calendar(every Period, count int, in *time.Location) Grid {
	return Grid{calendar{every, int64(count), in}}
}

func (calendar) shape() (width, parts int64) { return 1, 1 }

func (c calendar) locate(ns int64) (slice, fromNS, toNS int64, ok bool) {
	p := c.open(ns)
	fromNS, toNS = c.pane(p)
	return p, fromNS, toNS, true
}

// open is the pane that ns lies in.
func (c calendar) open(ns int64) int64 {
	y, m, d := time.Unix(0, ns).In(c.in).Date()
	n := int64(y-1970)*12 + int64(m) - 1
	if c.every != Month {
		n, _ = divide(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), daySeconds)
		if c.every == Week {
			n, _ = divide(n+3, 7) // 1 January 1970 was a Thursday
		}
	}
	p, _ := divide(n, c.count)
	for ns < c.startNS(p) { // where the clock was put back over midnight
		p--
	}
	for ns >= c.startNS(p+1) {
		p++
	}
	return p
}

const daySeconds = 24 * 60 * 60

func (c calendar) pane(p int64) (startNS, endNS int64) {
	return max(TimeMinNS, c.startNS(p)), c.startNS(p + 1)
}

// startNS is the first moment at which the local date is that of the pane's first day, or later.
func (c calendar) startNS(p int64) int64 {
	var midnight int64 // as if in UTC
	switch n := int(p * c.count); c.every {
	case Month:
		midnight = time.Date(1970, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC).Unix()
	case Week:
		midnight = int64(7*n-3) * daySeconds
	default:
		midnight = int64(n) * daySeconds
	}
	at := time.Unix(midnight-2*daySeconds, 0).In(c.in)
	for {
		_, offset := at.Zone()
		_, until := at.ZoneBounds()
		first := max(at.Unix(), midnight-int64(offset))
		if until.IsZero() || first < until.Unix() {
			return secondsNS(first)
		}
		at = until
	}
}

// secondsNS is s in nanoseconds, at most the final watermark.
func secondsNS(s int64) int64 {
	switch {
	case s > math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	case s < math.MinInt64/int64(time.Second):
		return math.MinInt64
	}
	return s * int64(time.Second)
}

func (c calendar) time(ns int64) time.Time { return time.Unix(0, ns).In(c.in) }
