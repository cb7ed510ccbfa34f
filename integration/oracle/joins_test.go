package oracle_test

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

type keyed = millrace.Keyed[string, rec]

// joinRow is a kind of join: a call, and a query over l and r, the records of both sides that were not late.
type joinRow struct {
	build   func(b *batch, l, r keyed) millrace.Stream[result]
	params  func(b *batch)
	query   string // key, n of the left record, n of the right one, event time; 0: there is none
	untimed bool   // no record is late
	inOrder bool   // the order in which records come matters
	filters bool   // a left record that does not come out is counted as filtered
	noTimes bool   // the query says nothing of event times
}

func pair(l, r rec) result { return result{"join", row(l.Key, l.N, r.N)} }

// outer is a pair of which one side may be absent, and is zero then.
func outer(l rec, hasLeft bool, r rec, hasRight bool) result {
	if hasLeft != (l != rec{}) || hasRight != (r != rec{}) {
		return result{"join", "a side that is absent is not zero"}
	}
	return result{"join", row(l.Key+map[bool]string{false: r.Key}[hasLeft], l.N, r.N)}
}

func alone(l rec) result { return result{"join", row(l.Key, l.N, 0)} }

func (b *batch) within() millrace.Within {
	return millrace.Within{Before: ms(b.params["before"]), After: ms(b.params["after"])}
}

// bounds are any that hold some time; one of them may be negative.
func bounds(b *batch) {
	before, after := b.upTo(400)-b.grain, b.upTo(400)-b.grain
	switch b.r.IntN(6) {
	case 0:
		before = -b.grain * b.r.Int64N(after/b.grain+1)
	case 1:
		after = -b.grain * b.r.Int64N(before/b.grain+1)
	case 2:
		before = 0
	case 3:
		after = 0
	}
	b.params = map[string]int64{"before": before, "after": after}
}

func timeToLive(b *batch) { b.params = map[string]int64{"ttl": b.upTo(500)} }

// A left record meets the right ones from :before before it to :after after it. A pair has the later time, a record alone the last
// at which it could have met one, or its own if that is later.
const (
	pairs = `
SELECT l.key, l.n, r.n, CASE WHEN l.ts > r.ts THEN l.ts ELSE r.ts END
FROM l JOIN r ON r.key = l.key AND r.ts BETWEEN l.ts - :before AND l.ts + :after`

	leftAlone = `
SELECT l.key, l.n, 0, l.ts + CASE WHEN :after > 0 THEN :after ELSE 0 END
FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.key = l.key AND r.ts BETWEEN l.ts - :before AND l.ts + :after)`

	rightAlone = `
SELECT r.key, 0, r.n, r.ts + CASE WHEN :before > 0 THEN :before ELSE 0 END
FROM r WHERE NOT EXISTS (SELECT 1 FROM l WHERE r.key = l.key AND r.ts BETWEEN l.ts - :before AND l.ts + :after)`
)

var joinRows = map[string]joinRow{
	"inner": {
		build:  func(b *batch, l, r keyed) millrace.Stream[result] { return l.Join("join", r, b.within(), pair) },
		params: bounds, query: pairs,
	},
	"left": {
		build: func(b *batch, l, r keyed) millrace.Stream[result] {
			return l.LeftJoin("join", r, b.within(), func(l, r rec, has bool) result { return outer(l, true, r, has) })
		},
		params: bounds, query: pairs + " UNION ALL" + leftAlone,
	},
	"right": {
		build: func(b *batch, l, r keyed) millrace.Stream[result] {
			return l.RightJoin("join", r, b.within(), func(l rec, has bool, r rec) result { return outer(l, has, r, true) })
		},
		params: bounds, query: pairs + " UNION ALL" + rightAlone,
	},
	"full": {
		build:  func(b *batch, l, r keyed) millrace.Stream[result] { return l.FullJoin("join", r, b.within(), outer) },
		params: bounds, query: pairs + " UNION ALL" + leftAlone + " UNION ALL" + rightAlone,
	},
	"semi": {
		build: func(b *batch, l, r keyed) millrace.Stream[result] {
			return l.SemiJoin("join", r, b.within()).Map("row", alone)
		},
		params: bounds, filters: true, noTimes: true, query: `
SELECT l.key, l.n, 0
FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.key = l.key AND r.ts BETWEEN l.ts - :before AND l.ts + :after)`,
	},
	"anti": {
		build: func(b *batch, l, r keyed) millrace.Stream[result] {
			return l.AntiJoin("join", r, b.within()).Map("row", alone)
		},
		params: bounds, filters: true, query: leftAlone,
	},
	"as-of":                         asOfRow,
	"unbounded inner":               unboundedRow,
	"unbounded inner, time to live": unboundedTTLRow,
}

// asOfRow has the newest version of the right side, or none.
var asOfRow = joinRow{
	build: func(_ *batch, l, r keyed) millrace.Stream[result] {
		return l.AsOf("join", r, func(l, r rec, has bool) result { return outer(l, true, r, has) })
	},
	inOrder: true, query: `
SELECT key, n, version, ts FROM (
	SELECT l.key, l.n, COALESCE(r.n, 0) AS version, l.ts, ROW_NUMBER() OVER (PARTITION BY l.arrival ORDER BY r.ts DESC, r.arrival DESC) AS place
	FROM l LEFT JOIN r ON r.key = l.key AND r.ts <= l.ts) AS versions
WHERE place = 1`,
}

// unboundedRow has all pairs there are.
var unboundedRow = joinRow{
	build: func(_ *batch, l, r keyed) millrace.Stream[result] {
		return l.JoinAll("join", r, state.Forever, pair)
	},
	untimed: true,
	query:   `SELECT l.key, l.n, r.n, CASE WHEN l.ts > r.ts THEN l.ts ELSE r.ts END FROM l JOIN r ON r.key = l.key`,
}

// unboundedTTLRow has the pairs of which neither record had been forgotten when the other came.
var unboundedTTLRow = joinRow{
	build: func(b *batch, l, r keyed) millrace.Stream[result] {
		return l.JoinAll("join", r, ms(b.params["ttl"]), pair)
	},
	params: timeToLive, untimed: true, query: `
SELECT l.key, l.n, r.n, CASE WHEN l.ts > r.ts THEN l.ts ELSE r.ts END
FROM l JOIN r ON r.key = l.key AND r.came < l.came + :ttl AND l.came < r.came + :ttl`,
}

func TestJoins(t *testing.T) {
	for name, j := range joinRows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, late bool) {
				eachBatch(t, func(t *testing.T, dbs []*asking, first, only uint64) {
					b := newBatch(first, only, 2, late)
					b.together, b.times = b.together && !j.inOrder, !j.noTimes
					if j.params != nil {
						j.params(b)
					}
					b.fill(nil)
					check(t, dbs, b, "join", j.query, expect{untimed: j.untimed, filters: j.filters}, nil, func(in []millrace.Stream[rec]) millrace.Stream[result] {
						return j.build(b, in[0].KeyBy(rec.key), in[1].KeyBy(rec.key))
					})
				})
			})
		})
	}
}

// staticQueries are the joins with a table that does not change.
var staticQueries = map[string]string{
	"inner": `SELECT l.key, l.n, r.n, l.ts FROM l JOIN r ON r.key = l.key`,
	"left":  `SELECT l.key, l.n, COALESCE(r.n, 0), l.ts FROM l LEFT JOIN r ON r.key = l.key`,
}

func TestStaticJoins(t *testing.T) {
	for name, query := range staticQueries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, late bool) {
				eachBatch(t, func(t *testing.T, dbs []*asking, first, only uint64) {
					b := newBatch(first, only, 1, late)
					b.times = true
					b.fill(nil)
					rows, table := b.table()
					check(t, dbs, b, "join", query, expect{untimed: true, filters: name == "inner"}, table, func(in []millrace.Stream[rec]) millrace.Stream[result] {
						static := millrace.NewStatic(sources.Slice(rows...), millrace.StaticConfig{}, rec.key)
						if name == "inner" {
							return in[0].JoinStatic("join", static, rec.key, pair)
						}
						return in[0].LeftJoinStatic("join", static, rec.key, func(l, r rec, has bool) result { return outer(l, true, r, has) })
					})
				})
			})
		})
	}
}

// table is a static table for the batch, with none to two rows of each key, and the same as the other side of a query.
func (b *batch) table() (rows []rec, other []arrival) {
	rows = append(rows, rec{Key: "nobody", N: 1}) // a table without rows is an error
	random := map[uint64]*rand.Rand{}             // a seed's own: played alone it makes the same
	for _, s := range b.steps {
		seed := seedOf(s.rec.Key)
		if random[seed] == nil {
			random[seed] = rand.New(rand.NewPCG(seed, 5))
		}
		if s.kind == sends && random[seed].IntN(9) == 0 {
			rows = append(rows, rec{Key: s.rec.Key, N: int64(len(rows) + 1)})
		}
	}
	for _, r := range rows {
		other = append(other, arrival{step: step{kind: sends, side: 1, rec: r}})
	}
	return rows, other
}
