package millracetest

import (
	"testing"

	"github.com/millrace-io/millrace"
)

// Run gives topology the records, ends its input, and returns what came out of the plain run, in order. It runs all Variants
// with a record for each action, and the crashing and the refusing ones once more with all records in one.
//
// Each must give the same: in the same order where records have but one way through the job and each chain one task, otherwise
// as a multiset. Where records are late, which ones are depends on how far the watermark is when they come: then the runs with all
// records in one action are not compared.
func Run[T, U any](t *testing.T, topology func(millrace.Stream[T]) millrace.Stream[U], in ...T) []U {
	t.Helper()
	return check(t, t.Errorf, topology, in)
}

func check[T, U any](t *testing.T, complain func(string, ...any), topology func(millrace.Stream[T]) millrace.Stream[U], in []T) []U {
	t.Helper()
	compare := func(want, got outcome[U]) bool {
		ordered := want.linear && got.linear
		return equal(got.records, want.records, ordered, func(g, w Record[U]) bool { return g.Kind == w.Kind && same(g.Value, w.Value) })
	}
	return values(run(t, complain, in, compare, func(j *millrace.Job, src *Input[T], out *Output[U]) {
		topology(j.From("in", src)).To("out", out)
	}))
}

// RunTable is Run for a topology that ends in a table: it returns the rows after the last record and compares the newest row of
// each key.
func RunTable[T any, K comparable, V any](t *testing.T, topology func(millrace.Stream[T]) millrace.Table[K, V], in ...T) map[K]V {
	t.Helper()
	compare := func(want, got outcome[millrace.Pair[K, V]]) bool {
		return same(rowsOf(got.records), rowsOf(want.records))
	}
	return rowsOf(run(t, t.Errorf, in, compare, func(j *millrace.Job, src *Input[T], out *Output[millrace.Pair[K, V]]) {
		topology(j.From("in", src)).To("out", out, millrace.Update)
	}))
}

// outcome is what a run gave.
type outcome[U any] struct {
	records []Record[U]
	late    int64
	linear  bool
}

// run gives complain what differs, and returns what came out of the plain run.
func run[T, U any](
	t *testing.T, complain func(format string, args ...any), in []T,
	same func(want, got outcome[U]) bool, build func(*millrace.Job, *Input[T], *Output[U]),
) []Record[U] {
	t.Helper()
	var want outcome[U]
	once := func(v Variant, together bool) (got outcome[U]) {
		t.Helper()
		PlayOne(t, v, func(s *Script) {
			src, out := s.Input[T](), s.Output[U]()
			s.Build(func(j *millrace.Job) { build(j, src, out) })
			got.linear = s.at.Linear
			if together {
				src.SendTogether(in...)
			} else {
				src.Send(in...)
			}
			s.End()
			got.records, got.late = out.Records(), s.Late()
		})
		return got
	}
	for i, v := range Variants(1) {
		got := once(v, false)
		if i == 0 {
			want = got
			continue
		}
		if !same(want, got) {
			complain("%s: came out:\n%splain:\n%s", v.Name, lines(got.records), lines(want.records))
		}
		if !v.Crash && !v.Refuse || want.late > 0 {
			continue
		}
		if got := once(v, true); got.late == 0 && !same(want, got) {
			complain("%s, all records together: came out:\n%splain:\n%s", v.Name, lines(got.records), lines(want.records))
		}
	}
	return want.records
}

func rowsOf[K comparable, V any](rs []Record[millrace.Pair[K, V]]) map[K]V {
	o := new(Output[millrace.Pair[K, V]])
	for _, r := range rs {
		o.rows = append(o.rows, row[millrace.Pair[K, V]]{Record: r})
	}
	return Rows(o)
}
