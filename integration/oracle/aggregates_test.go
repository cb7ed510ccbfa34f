package oracle_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// aggregation is a row of its kind: the same by a query, over a table with a row for each record and window it belongs to, and by
// a call.
type aggregation struct {
	name  string
	query string
	build func(all millrace.Windowed[string, rec], p panes)
}

var aggregations = []aggregation{
	{
		"count", `SELECT key, start, stop, COUNT(*) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.Count("count"), p, plain) },
	},
	{
		"sum", `SELECT key, start, stop, SUM(v) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.Sum("sum", rec.value), p, plain) },
	},
	{
		"min", `SELECT key, start, stop, MIN(v) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.Min("min", rec.value), p, plain) },
	},
	{
		"max", `SELECT key, start, stop, MAX(v) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.Max("max", rec.value), p, plain) },
	},
	{
		"avg", `SELECT key, start, stop, AVG(CAST(v AS DOUBLE PRECISION)) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.Avg("avg", rec.value), p, mean) },
	},
	{
		"count distinct", `SELECT key, start, stop, COUNT(DISTINCT v) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) {
			write(all.CountDistinct("count distinct", rec.value), p, plain)
		},
	},
	{
		"collect", `SELECT key, start, stop, STRING_AGG(CAST(n AS TEXT), ',' ORDER BY n) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) {
			write(all.Collect("collect", rec.number), p, func(ns []int64) any { return list(slices.Sorted(slices.Values(ns))) })
		},
	},
	{
		"top", `
SELECT key, start, stop, STRING_AGG(CAST(n AS TEXT), ',' ORDER BY v DESC, n) FROM (
	SELECT *, ROW_NUMBER() OVER (PARTITION BY key, start, stop ORDER BY v DESC, n) AS place FROM member) AS placed
WHERE place <= 3 GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) { write(all.TopN("top", 3, higher), p, numbers) },
	},
	{
		"user-defined", `SELECT key, start, stop, COUNT(*) * SUM(v * v) - SUM(v) * SUM(v) FROM member GROUP BY key, start, stop`,
		func(all millrace.Windowed[string, rec], p panes) {
			write(all.Aggregate("user-defined", moments.add, moments.merge), p, moments.spread)
		},
	},
}

// moments is a user's accumulator.
type moments struct{ N, Sum, Squares int64 }

func (m moments) add(r rec) moments { return moments{m.N + 1, m.Sum + r.V, m.Squares + r.V*r.V} }

func (m moments) merge(o moments) moments {
	return moments{m.N + o.N, m.Sum + o.Sum, m.Squares + o.Squares}
}

func (m moments) spread() any { return m.N*m.Squares - m.Sum*m.Sum }

// higher orders records for the top three.
func higher(a, b rec) bool { return a.V > b.V || a.V == b.V && a.N < b.N }

func plain(v int64) any  { return v }
func mean(v float64) any { return v }

func numbers(all []rec) any {
	var ns []int64
	for _, r := range all {
		ns = append(ns, r.N)
	}
	return list(ns)
}

func list(ns []int64) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(ns), "[]"), " ", ",") }

// panes is where the panes of an aggregation go.
type panes struct {
	name  string
	shown func(time.Time) int64 // their times
	out   *millracetest.Output[result]
}

// aggregate is a job of some aggregations over the same windows.
func aggregate(w millrace.Windows, shown func(time.Time) int64, some []aggregation) topology {
	return func(in []millrace.Stream[rec], out *millracetest.Output[result]) {
		all := in[0].KeyBy(rec.key).Window(w)
		for _, a := range some {
			a.build(all, panes{a.name, shown, out})
		}
	}
}

// write sends each final pane out as a row of the query.
func write[V any](all millrace.Panes[string, V], p panes, show func(V) any) {
	all.Stream(p.name+" rows", func(pane millrace.Pane[string, V]) result {
		return result{p.name, row(pane.Key, p.shown(pane.Start), p.shown(pane.End), show(pane.Value))}
	}).To(p.name+" out", p.out)
}
