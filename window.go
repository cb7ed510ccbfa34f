package millrace

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/millrace-io/millrace/operators"
)

// Windows says which windows a record belongs to: [Tumbling], [Sliding], [Session], [Calendar], [Global] or [CountOf].
type Windows interface{ windows() windows }

// windows is what all of them come to. One of grid, gap and records is set.
type windows struct {
	text    string // part of the operator's identity: other windows cannot take over its state
	err     error
	grid    operators.Grid
	gap     time.Duration
	records int
	every   int
	grace   time.Duration
	global  bool
}

// Tumbling windows follow each other: [offset + n·Size, offset + (n+1)·Size) for every whole n, counted from the Unix epoch.
type Tumbling struct {
	Size   time.Duration
	Offset time.Duration // where the windows begin; may be negative
	Grace  time.Duration // how long after its end a window still takes records
}

// Sliding windows overlap: one of Size begins every Slide. Where Slide is the larger one, records between the windows belong to none
// and are counted as filtered.
type Sliding struct {
	Size   time.Duration
	Slide  time.Duration
	Offset time.Duration // where the windows begin; may be negative
	Grace  time.Duration // how long after its end a window still takes records
}

// Session windows are of the key's own: records of which none is Gap or more after the one before. A window ends Gap after its
// last record. A record may make one window of two.
type Session struct {
	Gap   time.Duration
	Grace time.Duration // how long after its end a window still takes records
}

// Global is one window for all time. It closes when the input has truly ended; Firing says when it emits before.
type Global struct{}

// CountOf windows are the last Records records of a key, at every Every-th of them, 0 means at every Records-th. Where windows
// overlap the first are shorter. Records that fill no window to its end are not emitted. They need no event time.
type CountOf struct {
	Records int
	Every   int
}

// Calendar windows are Count local days, weeks or months, 0 means 1, as clocks in Location show them, UTC when it is nil. A day
// may have 23 or 25 hours. Weeks begin on Monday. Counts above 1 are from 1 January 1970, of weeks from 29 December 1969.
type Calendar struct {
	Every    Period
	Count    int
	Location *time.Location
	Grace    time.Duration // how long after its end a window still takes records
}

// Period is the unit of [Calendar].
type Period = operators.Period

// The units of [Calendar].
const (
	Day   = operators.Day
	Week  = operators.Week
	Month = operators.Month
)

// windowMin and windowMax bound sizes and slides.
const (
	windowMin = time.Microsecond
	windowMax = math.MaxInt64 / 4 * time.Nanosecond
)

func inBounds(what string, d time.Duration) error {
	if d < windowMin || d > windowMax {
		return fmt.Errorf("%s is %v, want %v to %v", what, d, windowMin, windowMax)
	}
	return nil
}

func notNegative(what string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s is %v, want at least 0", what, d)
	}
	return nil
}

func (w Tumbling) windows() windows {
	all := Sliding{w.Size, w.Size, w.Offset, w.Grace}.windows()
	all.text = fmt.Sprintf("tumbling %v offset %v", w.Size, w.Offset)
	if w.Size < windowMin || w.Size > windowMax {
		all.err = errors.Join(inBounds("Tumbling.Size", w.Size), notNegative("Tumbling.Grace", w.Grace))
	}
	return all
}

func (w Sliding) windows() windows {
	all := windows{text: fmt.Sprintf("sliding %v/%v offset %v", w.Size, w.Slide, w.Offset), grace: w.Grace}
	all.err = errors.Join(inBounds("Sliding.Size", w.Size), inBounds("Sliding.Slide", w.Slide), notNegative("Grace", w.Grace))
	if all.err == nil {
		all.grid = operators.Sliding(w.Size, w.Slide, w.Offset)
	}
	return all
}

func (w Session) windows() windows {
	return windows{
		text: fmt.Sprintf("session %v", w.Gap), gap: w.Gap, grace: w.Grace,
		err: errors.Join(inBounds("Session.Gap", w.Gap), notNegative("Session.Grace", w.Grace)),
	}
}

func (Global) windows() windows {
	return windows{text: "global", grid: operators.Global(), global: true}
}

func (w CountOf) windows() windows {
	all := windows{text: fmt.Sprintf("count %d every %d", w.Records, w.Every), records: w.Records, every: cmp.Or(w.Every, w.Records)}
	if w.Records < 1 {
		all.err = fmt.Errorf("CountOf.Records is %d, want at least 1", w.Records)
	} else if w.Every < 0 {
		all.err = fmt.Errorf("CountOf.Every is %d, want at least 0", w.Every)
	}
	return all
}

func (w Calendar) windows() windows {
	in := cmp.Or(w.Location, time.UTC)
	count := cmp.Or(w.Count, 1)
	all := windows{text: fmt.Sprintf("calendar %d every %d in %v", w.Every, count, in), grace: w.Grace}
	all.err = notNegative("Calendar.Grace", w.Grace)
	switch {
	case w.Every < Day || w.Every > Month:
		all.err = errors.Join(all.err, fmt.Errorf("Calendar.Every is %d, want millrace.Day, millrace.Week or millrace.Month", w.Every))
	case count < 1:
		all.err = errors.Join(all.err, fmt.Errorf("Calendar.Count is %d, want at least 1", w.Count))
	default:
		all.grid = operators.Calendar(w.Every, count, in)
	}
	return all
}
