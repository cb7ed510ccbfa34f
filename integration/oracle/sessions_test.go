package oracle_test

import (
	"slices"
	"time"

	"github.com/millrace-io/millrace"
)

var sessionRow = windowRow{
	windows: func(b *batch) millrace.Windows {
		gap, grace := b.upTo(400), b.grace()
		b.params = map[string]int64{"gap": gap, "grace": grace}
		return millrace.Session{Gap: ms(gap), Grace: ms(grace)}
	},
	// A session begins with a record that comes :gap or more after the one before. Records of sessions that closed at different
	// watermarks do not meet.
	members: `
INSERT INTO member
WITH spaced AS (SELECT *, CASE WHEN ts - LAG(ts) OVER (PARTITION BY key, closed ORDER BY ts, arrival) < :gap THEN 0 ELSE 1 END AS begins FROM l),
counted AS (SELECT *, SUM(begins) OVER (PARTITION BY key, closed ORDER BY ts, arrival ROWS UNBOUNDED PRECEDING) AS session FROM spaced)
SELECT key, MIN(ts) OVER (PARTITION BY key, closed, session), MAX(ts) OVER (PARTITION BY key, closed, session) + :gap, arrival, n, v FROM counted`,
	covered: allRecords, shown: time.Time.UnixMilli, rule: sessionRule,
}

// sessionRule marks each record late, or with the watermark that closes its session: one reaches the end and grace of its last
// record. A record is late if it meets no open session and its own would have closed.
func sessionRule(b *batch, all []arrival) {
	gap, grace := b.params["gap"], b.params["grace"]
	open := map[string][]*arrival{} // by key, in the order of their times
	for i := range all {
		x := &all[i]
		x.closed = neverClosed
		mine := closeUntil(open[x.rec.Key], x.wm, gap, grace)
		meets := slices.ContainsFunc(mine, func(o *arrival) bool { return x.rec.TS-o.rec.TS < gap && o.rec.TS-x.rec.TS < gap })
		if x.late = !meets && x.rec.TS+gap+grace <= x.wm; !x.late {
			mine = append(mine, x)
		}
		slices.SortFunc(mine, func(a, b *arrival) int { return int(a.rec.TS - b.rec.TS) })
		open[x.rec.Key] = mine
	}
}

// neverClosed is the watermark that closes what the end of the input does.
const neverClosed = 1 << 50

// closeUntil marks the sessions of one key that a watermark closes, and is the records of the others.
func closeUntil(mine []*arrival, wm, gap, grace int64) (open []*arrival) {
	for from, i := 0, 0; i < len(mine); i++ {
		if i+1 < len(mine) && mine[i+1].rec.TS-mine[i].rec.TS < gap {
			continue
		}
		if session := mine[from : i+1]; mine[i].rec.TS+gap+grace > wm {
			open = append(open, session...)
		} else {
			for _, x := range session {
				x.closed = wm
			}
		}
		from = i + 1
	}
	return open
}
