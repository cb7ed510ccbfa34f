package oracle_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
)

// changes are when the clocks of a place were and will be put forward and back, as its laws say, and not as Go's tables do: a UTC
// time and the hours that local time is ahead from there on. Each is for 2025 and 2026.
var changes = map[string][]change{
	"Asia/Kolkata": {{"2024-12-01T00:00", 5.5}},
	"Europe/Berlin": {
		{"2024-12-01T00:00", 1}, {"2025-03-30T01:00", 2}, {"2025-10-26T01:00", 1}, {"2026-03-29T01:00", 2}, {"2026-10-25T01:00", 1},
	},
	"America/New_York": {
		{"2024-12-01T00:00", -5}, {"2025-03-09T07:00", -4}, {"2025-11-02T06:00", -5}, {"2026-03-08T07:00", -4}, {"2026-11-01T06:00", -5},
	},
	"Australia/Lord_Howe": { // by half an hour
		{"2024-12-01T00:00", 11}, {"2025-04-05T15:00", 10.5}, {"2025-10-04T15:30", 11}, {"2026-04-04T15:00", 10.5}, {"2026-10-03T15:30", 11},
	},
	"America/Havana": { // midnight is skipped in March and comes twice in November
		{"2024-12-01T00:00", -5}, {"2025-03-09T05:00", -4}, {"2025-11-02T05:00", -5}, {"2026-03-08T05:00", -4}, {"2026-11-01T05:00", -5},
	},
}

var places = []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana"}

type change struct {
	utc   string
	hours float64
}

func (c change) ms() int64 {
	at, err := time.Parse("2006-01-02T15:04", c.utc)
	if err != nil {
		panic(err)
	}
	return at.UnixMilli()
}

const hourMS = 60 * 60 * 1000

// periods has the number of each record's period, and where periods begin: the first moment whose local date is that of the first day.
const periods = `
WITH RECURSIVE
	dated AS (SELECT rec.*, (ts + shift) / 86400000 AS d FROM rec JOIN zone ON since <= ts AND ts < until),
	numbered AS (
		SELECT *, CASE :every
			WHEN 1 THEN d / :count
			WHEN 2 THEN (d + 3) / 7 / :count
			ELSE ((strftime('%Y', d * 86400, 'unixepoch') - 1970) * 12 + strftime('%m', d * 86400, 'unixepoch') - 1) / :count END AS p
		FROM dated),
	wanted (p) AS (SELECT p FROM numbered UNION SELECT p + 1 FROM numbered),
	days AS (
		SELECT p, CASE :every
			WHEN 1 THEN p * :count
			WHEN 2 THEN p * :count * 7 - 3
			ELSE unixepoch('1970-01-01', (p * :count) || ' months') / 86400 END AS d
		FROM wanted),
	begins (p, ms) AS (
		SELECT p, MIN(MAX(since, d * 86400000 - shift)) FROM days JOIN zone ON MAX(since, d * 86400000 - shift) < until GROUP BY p)`

// zonedPeriods is the same of a database with a table of time zones.
const zonedPeriods = `
WITH
	dated AS (SELECT rec.*, CAST(to_timestamp(ts / 1000.0) AT TIME ZONE :place AS DATE) AS d FROM rec),
	numbered AS (
		SELECT *, CASE :every
			WHEN 1 THEN d - DATE '1970-01-01'
			WHEN 2 THEN FLOOR((d - DATE '1969-12-29') / 7)
			ELSE EXTRACT(YEAR FROM d) * 12 + EXTRACT(MONTH FROM d) - 1 - 1970 * 12 END AS unit
		FROM dated),
	placed AS (SELECT *, CAST(FLOOR(unit / :count) AS INTEGER) AS p FROM numbered),
	days AS (
		SELECT p, CASE :every
			WHEN 1 THEN DATE '1970-01-01' + p * :count * INTERVAL '1 day'
			WHEN 2 THEN DATE '1969-12-29' + p * :count * INTERVAL '7 days'
			ELSE DATE '1970-01-01' + p * :count * INTERVAL '1 month' END AS d
		FROM (SELECT p FROM placed UNION SELECT p + 1 FROM placed) AS wanted),
	begins AS (SELECT p, CAST(EXTRACT(EPOCH FROM d AT TIME ZONE :place) * 1000 AS BIGINT) AS ms FROM days)`

var calendarRow = windowRow{
	windows: calendarWindows,
	members: `
INSERT INTO member` + periods + `
SELECT key, a.ms, z.ms, arrival, n, v FROM numbered JOIN begins a ON a.p = numbered.p JOIN begins z ON z.p = numbered.p + 1
WHERE wm < z.ms + :grace`,
	zoned: `
INSERT INTO member` + zonedPeriods + `
SELECT key, a.ms, z.ms, arrival, n, v FROM placed JOIN begins a ON a.p = placed.p JOIN begins z ON z.p = placed.p + 1
WHERE wm < z.ms + :grace`,
	covered: allRecords, shown: time.Time.UnixMilli, at: calendarTimes,
}

func calendarWindows(b *batch) millrace.Windows {
	b.grain = hourMS / 2
	b.disorder = b.upTo(20 * 24 * hourMS)
	place := b.r.IntN(len(places))
	every, count, grace := 1+b.r.IntN(3), 1+b.r.IntN(3), int64(0)
	if b.r.IntN(2) == 0 {
		grace = b.upTo(3 * 24 * hourMS)
	}
	b.params = map[string]int64{"every": int64(every), "count": int64(count), "grace": grace, "place": int64(place)}
	in, err := time.LoadLocation(places[place])
	if err != nil {
		panic(err)
	}
	return millrace.Calendar{Every: []millrace.Period{millrace.Day, millrace.Week, millrace.Month}[every-1], Count: count, Location: in, Grace: ms(grace)}
}

// calendarTimes are half of them in the days around a change of the clocks, the others in two years.
func calendarTimes(b *batch) func(span float64) int64 {
	all := changes[places[b.params["place"]]]
	from, hours := all[0].ms()+60*24*hourMS, float64(640*24)
	if c := b.r.IntN(len(all)); c > 0 && b.r.IntN(2) == 0 {
		from, hours = all[c].ms()-3*24*hourMS, 6*24
	}
	return func(span float64) int64 { return from + int64(span*hours*2)*b.grain }
}

// zone fills the table of a place's changes.
func (b *batch) zone() string {
	all := changes[places[b.params["place"]]]
	var rows []string
	for i, c := range all {
		until := int64(1) << 50
		if i+1 < len(all) {
			until = all[i+1].ms()
		}
		rows = append(rows, fmt.Sprintf("(%d,%d,%d)", c.ms(), until, int64(c.hours*hourMS)))
	}
	return "DELETE FROM zone; INSERT INTO zone VALUES " + strings.Join(rows, ",")
}

// midnightTwice says that a local midnight of the place is two moments, of which databases take the one or the other.
func (b *batch) midnightTwice() bool { return places[b.params["place"]] == "America/Havana" }
