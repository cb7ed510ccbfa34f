package oracle_test

import (
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// expect is what is known of an operator's counts.
type expect struct {
	untimed bool // no record is late
	filters bool // a left record that does not come out is counted as filtered; else none is
}

// lateRule marks what is behind the watermark: the same for all that works on points of time.
func lateRule(all []arrival) {
	for i := range all {
		all[i].late = all[i].rec.TS < all[i].wm
	}
}

// check demands that what a job puts out, late and filtered, is what a query says. table is what stands in the database besides the
// records of the batch.
func check(t *testing.T, dbs []*asking, b *batch, name, query string, e expect, table []arrival, build func([]millrace.Stream[rec]) millrace.Stream[result]) {
	t.Helper()
	all := b.arrivals()
	if !e.untimed {
		lateRule(all)
	}
	got := b.play(t, func(in []millrace.Stream[rec], out *millracetest.Output[result]) { build(in).To("out", out) })
	for _, a := range dbs {
		a.t = t
		a.load(b, append(all[:len(all):len(all)], table...))
		a.compare(b, name, got.rows[name], a.query(query))
		late, filtered := a.number(`SELECT COUNT(*) FROM rec WHERE late = 1`), int64(0)
		if e.filters {
			filtered = a.number(`SELECT COUNT(*) FROM l`) - int64(len(got.rows[name]))
		}
		if e.filters && table != nil {
			filtered = a.number(`SELECT COUNT(*) FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.key = l.key)`)
		}
		a.balance(b, "filtered", got.dropped.Filtered, filtered)
		a.balance(b, "late", got.dropped.Late, late)
		if !b.late {
			a.balance(b, "late, of a disorder within the delay", late, 0)
		}
	}
}
