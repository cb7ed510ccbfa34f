package oracle_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace"
)

// windowRow is a kind of windows: what a batch makes of it, and which windows each record belongs to.
type windowRow struct {
	windows func(b *batch) millrace.Windows // sets the parameters that members has
	members string                          // fills the table member; without a late record or window
	zoned   string                          // the same of a database that knows time zones; "": it needs none
	covered string                          // how many records have a window, in time or not
	shown   func(time.Time) int64           // how the times of panes stand in member
	inOrder bool                            // the order in which records come matters
	rule    func(b *batch, all []arrival)
	at      func(b *batch) func(span float64) int64
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// A pane of a grid is admitted for a record as long as the watermark has not reached its end and grace.
const slidingMembers = `
INSERT INTO member
WITH RECURSIVE w (start) AS (SELECT :offset - 5000 + 5000 % :slide UNION ALL SELECT start + :slide FROM w WHERE start < 5000)
SELECT key, start, start + :size, arrival, n, v FROM w JOIN rec ON start <= ts AND ts < start + :size
WHERE wm < start + :size + :grace`

const slidingCovered = `
WITH RECURSIVE w (start) AS (SELECT :offset - 5000 + 5000 % :slide UNION ALL SELECT start + :slide FROM w WHERE start < 5000)
SELECT COUNT(DISTINCT arrival) FROM w JOIN rec ON start <= ts AND ts < start + :size`

const allRecords = `SELECT COUNT(*) FROM rec`

var windowRows = map[string]windowRow{
	"tumbling": {
		windows: func(b *batch) millrace.Windows {
			size, grace := b.upTo(800), b.grace()
			b.params = map[string]int64{"size": size, "slide": size, "offset": 0, "grace": grace}
			return millrace.Tumbling{Size: ms(size), Grace: ms(grace)}
		},
		members: slidingMembers, covered: slidingCovered, shown: time.Time.UnixMilli,
	},
	"sliding": {
		windows: func(b *batch) millrace.Windows {
			size, grace := b.upTo(1000), b.grace()
			slide := b.slide(size)
			b.params = map[string]int64{"size": size, "slide": slide, "offset": 0, "grace": grace}
			return millrace.Sliding{Size: ms(size), Slide: ms(slide), Grace: ms(grace)}
		},
		members: slidingMembers, covered: slidingCovered, shown: time.Time.UnixMilli,
	},
	"offset": {
		windows: func(b *batch) millrace.Windows {
			size, grace, offset := b.upTo(1000), b.grace(), b.around(2000)
			slide := b.slide(size)
			if b.r.IntN(2) == 0 {
				b.params = map[string]int64{"size": size, "slide": size, "offset": offset, "grace": grace}
				return millrace.Tumbling{Size: ms(size), Offset: ms(offset), Grace: ms(grace)}
			}
			b.params = map[string]int64{"size": size, "slide": slide, "offset": offset, "grace": grace}
			return millrace.Sliding{Size: ms(size), Slide: ms(slide), Offset: ms(offset), Grace: ms(grace)}
		},
		members: slidingMembers, covered: slidingCovered, shown: time.Time.UnixMilli,
	},
	"session":  sessionRow,
	"calendar": calendarRow,
	"global": {
		windows: func(*batch) millrace.Windows { return millrace.Global{} },
		members: `INSERT INTO member SELECT key, 0, 0, arrival, n, v FROM rec`,
		covered: allRecords, shown: func(time.Time) int64 { return 0 },
	},
	"count": countRow,
}

// countRow has a window behind each so many records of a key.
var countRow = windowRow{
	windows: func(b *batch) millrace.Windows {
		size, every := 1+b.r.IntN(8), 1+b.r.IntN(10)
		if b.r.IntN(3) == 0 {
			every = size
		}
		b.params = map[string]int64{"size": int64(size), "every": int64(every)}
		return millrace.CountOf{Records: size, Every: every}
	},
	// A record's number is counted within its key, from 1; a window ends with each number that :every divides.
	members: `
INSERT INTO member
WITH numbered AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY key ORDER BY arrival) AS number FROM rec)
SELECT r.key, CASE WHEN w.number > :size THEN w.number - :size ELSE 0 END, w.number, r.arrival, r.n, r.v
FROM numbered w JOIN numbered r ON r.key = w.key AND r.number > w.number - :size AND r.number <= w.number
WHERE w.number % :every = 0`,
	shown: time.Time.UnixNano, inOrder: true,
}

// grace is none as often as some.
func (b *batch) grace() int64 { return max(0, b.around(200)) }

// slide is one that begins no more windows than a query can count.
func (b *batch) slide(size int64) int64 { return max(b.upTo(500), (size/16/b.grain+1)*b.grain) }

func TestWindows(t *testing.T) {
	for name, w := range windowRows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, late bool) {
				eachBatch(t, func(t *testing.T, dbs []*asking, first, only uint64) {
					b := newBatch(first, only, 1, late)
					b.together = b.together && !w.inOrder
					w.check(t, dbs, b)
				})
			})
		})
	}
}

func (w windowRow) check(t *testing.T, dbs []*asking, b *batch) {
	t.Helper()
	windows := w.windows(b)
	if w.at != nil {
		b.fill(w.at(b))
	} else {
		b.fill(nil)
	}
	all := b.arrivals()
	if w.rule != nil {
		w.rule(b, all)
	}
	some := aggregations[b.first/batchSeeds%3*3:][:3] // a third of the seeds of every window for each
	got := b.play(t, aggregate(windows, w.shown, some))
	for _, a := range dbs {
		a.t = t
		a.load(b, all)
		members := w.members
		if w.zoned != "" && a.name != "SQLite" {
			if b.midnightTwice() {
				continue
			}
			members = w.zoned
		}
		a.query(members)
		for _, x := range some {
			a.compare(b, x.name, got.rows[x.name], a.query(x.query))
		}
		w.balance(a, b, got, int64(len(all)), int64(len(some)))
	}
}

// balance demands that each record is in a window, or late, or between the windows: once for each of n aggregations.
func (w windowRow) balance(a *asking, b *batch, got played, in, n int64) {
	a.t.Helper()
	if w.covered == "" { // it is not said of which records no window ever comes
		a.balance(b, "late", got.dropped.Late, 0)
		return
	}
	covered, admitted := a.number(w.covered), a.number(`SELECT COUNT(DISTINCT arrival) FROM member`)
	a.balance(b, "filtered", got.dropped.Filtered, n*(in-covered))
	a.balance(b, "late", got.dropped.Late, n*(covered-admitted))
	if !b.late {
		a.balance(b, "late, of a disorder within the delay", got.dropped.Late, 0)
	}
}
