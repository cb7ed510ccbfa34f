package millrace_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

func sums(s millrace.Stream[amount]) millrace.Table[string, int] {
	return s.KeyBy(amount.who).Sum("sum", state.Forever, amount.n)
}

func TestTableMapValues(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[string, string] {
		return sums(s).MapValues("text", func(k string, n int) string { return fmt.Sprint(k, "=", n) })
	}, amounts...)
	wantRows(t, got, map[string]string{"ann": "ann=6", "bob": "bob=5", "cleo": "cleo=7", "dan": "dan=1"})
}

// A row that was kept and no longer is, is deleted.
func TestTableFilter(t *testing.T) {
	topology := func(s millrace.Stream[amount]) millrace.Table[string, int] {
		return sums(s).Filter("small", func(_ string, n int) bool { return n < 5 })
	}
	wantRows(t, millracetest.RunTable(t, topology, amounts...), map[string]int{"dan": 1})
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[amount](), s.Output[millrace.Pair[string, int]]()
		s.Build(func(j *millrace.Job) { topology(j.From("in", in)).To("out", out, millrace.Update) })
		in.Send(amount{"ann", 4}, amount{"ann", 1})
		out.WantRecords(
			millracetest.Record[millrace.Pair[string, int]]{Value: millrace.Pair[string, int]{Key: "ann", Value: 4}},
			millracetest.Record[millrace.Pair[string, int]]{Kind: millracetest.Delete, Value: millrace.Pair[string, int]{Key: "ann", Value: 5}},
		)
	})
}

func TestTableStream(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[amount]) millrace.Stream[string] {
		return sums(s).Filter("positive", func(_ string, n int) bool { return n > 0 }).Stream("changes", func(k string, n int) string { return fmt.Sprint(k, n) })
	}, amount{"ann", 3}, amount{"bob", -1}, amount{"ann", -5}, amount{"bob", 2})
	wantSlice(t, got, "ann3", "bob1")
}

func TestTableFinal(t *testing.T) {
	for name, topology := range map[string]func(millrace.Stream[amount]) millrace.Stream[string]{
		"of standing rows": func(s millrace.Stream[amount]) millrace.Stream[string] {
			return sums(s).Final("last", func(k string, n int) string { return fmt.Sprint(k, n) })
		},
		"of rows that it keeps itself": func(s millrace.Stream[amount]) millrace.Stream[string] {
			return sums(s).Filter("not 5", func(_ string, n int) bool { return n != 5 }).Final("last", func(k string, n int) string { return fmt.Sprint(k, n) })
		},
	} {
		got := millracetest.Run(t, topology, amounts...)
		slices.Sort(got)
		want := []string{"ann6", "bob5", "cleo7", "dan1"}
		if name != "of standing rows" {
			want = slices.Delete(want, 1, 2)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// Finals are a piece a turn: a cut among them must not divide them.
func TestTableFinalOfManyRows(t *testing.T) {
	var in []amount
	for i := range 1500 {
		in = append(in, amount{fmt.Sprint(i % 1000), 1})
	}
	for seed := range invariants.Sized[uint64](40, 5) {
		v := millracetest.RandomVariant(seed)
		v.Crash = true
		millracetest.PlayOne(t, v, func(s *millracetest.Script) {
			src, out := s.Input[amount](), s.Output[millrace.Pair[string, int]]()
			s.Build(func(j *millrace.Job) {
				sums(j.From("in", src)).Final("last", func(k string, n int) millrace.Pair[string, int] { return millrace.Pair[string, int]{Key: k, Value: n} }).To("out", out)
			})
			src.SendTogether(in...)
			s.End()
			if rows := millracetest.Rows(out); len(out.Values()) != 1000 || len(rows) != 1000 || rows["499"] != 2 || rows["500"] != 1 {
				s.T().Errorf("%s: %d records, %d keys, 499 is %d, 500 is %d; want 1000, 1000, 2, 1", v.Name, len(out.Values()), len(rows), rows["499"], rows["500"])
			}
		})
	}
}

// What the last record was does not matter to the last rows.
func TestTableFinalBehindADeletion(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[amount](), s.Output[string]()
		s.Config.Operators = map[string]millrace.OperatorConfig{"last": {Parallelism: 5}} // a lane between them
		s.Build(func(j *millrace.Job) {
			sums(j.From("in", in)).Filter("small", func(_ string, n int) bool { return n < 5 }).
				Final("last", func(k string, n int) string { return fmt.Sprint(k, n) }).To("out", out)
		})
		in.Send(amount{"ann", 1}, amount{"bob", 2}, amount{"cleo", 3}, amount{"cleo", 3})
		s.End()
		at := s.Now()
		out.WantRecords(millracetest.Record[string]{Time: at, Value: "ann1"}, millracetest.Record[string]{Time: at, Value: "bob2"})
	})
}

func TestTableTo(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[amount](), s.Output[millrace.Pair[string, int]]()
		s.Build(func(j *millrace.Job) { sums(j.From("in", in)).To("out", out, millrace.Update) })
		in.Send(amount{"ann", 1}, amount{"ann", 2}, amount{"bob", 5})
		out.Want(
			millrace.Pair[string, int]{Key: "ann", Value: 1},
			millrace.Pair[string, int]{Key: "ann", Value: 3},
			millrace.Pair[string, int]{Key: "bob", Value: 5},
		)
		wantRows(s.T(), s.State[string, int]("sum", "accumulator"), map[string]int{"ann": 3, "bob": 5})
	})
}
