package oracle_test

import (
	"fmt"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/state"
)

// dedupRow is a kind of dedup: a call, and a query over l, the records that were not late.
type dedupRow struct {
	build   func(b *batch, in millrace.Stream[rec]) millrace.Stream[rec]
	params  func(b *batch)
	query   string // key, n, event time
	untimed bool
}

// dedupAgain is the records that pass when a key is forgotten: the first, and after each that passed the next one which comes when
// a condition holds.
func dedupAgain(forgotten string) string {
	return `
WITH RECURSIVE passed (key, arrival, n, ts, came) AS (
	SELECT key, arrival, n, ts, came FROM l AS x WHERE NOT EXISTS (SELECT 1 FROM l AS y WHERE y.key = x.key AND y.arrival < x.arrival)
	UNION ALL
	SELECT x.key, x.arrival, x.n, x.ts, x.came FROM passed JOIN l AS x ON x.arrival = (
		SELECT MIN(y.arrival) FROM l AS y WHERE y.key = passed.key AND y.arrival > passed.arrival AND ` + forgotten + `))
SELECT key, n, ts FROM passed`
}

var dedupRows = map[string]dedupRow{
	"with the event time in the key": {
		build: func(_ *batch, in millrace.Stream[rec]) millrace.Stream[rec] {
			return in.KeyBy(func(r rec) string { return fmt.Sprint(r.Key, "@", r.TS) }).Dedup("dedup")
		},
		query: `
SELECT key, n, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY key, ts ORDER BY arrival) AS place FROM l) AS placed WHERE place = 1`,
	},
	"within a time": {
		build: func(b *batch, in millrace.Stream[rec]) millrace.Stream[rec] {
			return in.KeyBy(rec.key).DedupWithin("dedup", ms(b.params["within"]))
		},
		params: func(b *batch) { b.params = map[string]int64{"within": b.upTo(500)} },
		query:  dedupAgain(`y.wm >= passed.ts + :within`),
	},
	"with a time to live": {
		build: func(b *batch, in millrace.Stream[rec]) millrace.Stream[rec] {
			return in.KeyBy(rec.key).DedupTTL("dedup", ms(b.params["ttl"]))
		},
		params: timeToLive, untimed: true, query: dedupAgain(`y.came >= passed.came + :ttl`),
	},
	"for ever": {
		build: func(_ *batch, in millrace.Stream[rec]) millrace.Stream[rec] {
			return in.KeyBy(rec.key).DedupTTL("dedup", state.Forever)
		},
		untimed: true, query: `
SELECT key, n, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY key ORDER BY arrival) AS place FROM l) AS placed WHERE place = 1`,
	},
}

func TestDedup(t *testing.T) {
	for name, d := range dedupRows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, late bool) {
				eachBatch(t, func(t *testing.T, dbs []*asking, first, only uint64) {
					b := newBatch(first, only, 1, late)
					b.together, b.times = false, true
					if d.params != nil {
						d.params(b)
					}
					b.fill(nil)
					check(t, dbs, b, "dedup", d.query, expect{untimed: d.untimed, filters: true}, nil, func(in []millrace.Stream[rec]) millrace.Stream[result] {
						return d.build(b, in[0]).Map("row", func(r rec) result { return result{"dedup", row(r.Key, r.N)} })
					})
				})
			})
		})
	}
}
