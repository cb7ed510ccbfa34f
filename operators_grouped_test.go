package millrace_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

// band groups a sum by its size.
func band(_ string, n int) int { return n / 3 }

// The amounts make ann 6, bob 5, cleo 7 and dan 1.
func TestGroupedAggregates(t *testing.T) {
	t.Run("Count", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, int64] {
			return sums(s).GroupBy(band).Count("count")
		}, amounts...), map[int]int64{0: 1, 1: 1, 2: 2})
	})
	t.Run("Sum", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, int] {
			return sums(s).GroupBy(band).Sum("sums", func(n int) int { return n })
		}, amounts...), map[int]int{0: 1, 1: 5, 2: 13})
	})
	t.Run("Avg", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, float64] {
			return sums(s).GroupBy(band).Avg("avg", func(n int) int { return n })
		}, amounts...), map[int]float64{0: 1, 1: 5, 2: 6.5})
	})
	t.Run("Min", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, int] {
			return sums(s).GroupBy(band).Min("min", func(n int) int { return n })
		}, amounts...), map[int]int{0: 1, 1: 5, 2: 6})
	})
	t.Run("Max", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, int] {
			return sums(s).GroupBy(band).Max("max", func(n int) int { return n })
		}, amounts...), map[int]int{0: 1, 1: 5, 2: 7})
	})
	t.Run("Aggregate", func(t *testing.T) {
		wantRows(t, millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[int, span] {
			return sums(s).GroupBy(band).Aggregate("span", span.add, span.remove)
		}, amounts...), map[int]span{0: {1, 1}, 1: {1, 5}, 2: {2, 13}})
	})
}

type span struct{ Rows, Sum int }

func (s span) add(n int) span    { return span{s.Rows + 1, s.Sum + n} }
func (s span) remove(n int) span { return span{s.Rows - 1, s.Sum - n} }

// A row that moves leaves its group before it is in the other; a group without rows is deleted; an update that leaves the group's row
// as it was says nothing.
func TestGroupedChanges(t *testing.T) {
	type record = millracetest.Record[millrace.Pair[int, int64]]
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[amount](), s.Output[millrace.Pair[int, int64]]()
		s.Build(func(j *millrace.Job) {
			sums(j.From("in", in)).GroupBy(band).Count("count").To("out", out, millrace.Update)
		})
		in.Send(amount{"ann", 1})
		out.WantRecords(record{Value: row(0, 1)})
		in.Send(amount{"ann", 1})
		out.WantRecords()
		in.Send(amount{"bob", 4})
		out.WantRecords(record{Value: row(1, 1)})
		in.Send(amount{"ann", 2})
		out.WantRecords(record{Kind: millracetest.Delete, Value: row(0, 1)}, record{Value: row(1, 2)})
	})
}

// chain is what a test of several aggregations in a row makes of records, and what the same is when all records are looked at anew.
type chain struct {
	name  string
	build func(millrace.Stream[amount]) millrace.Table[int64, int64]
	naive func([]amount) map[int64]int64
}

func naiveSums(in []amount) map[string]int {
	m := map[string]int{}
	for _, a := range in {
		m[a.who()] += a.n()
	}
	return m
}

var chains = []chain{
	{"count of sums, counted", func(s millrace.Stream[amount]) millrace.Table[int64, int64] {
		return sums(s).GroupBy(func(_ string, n int) int { return n }).Count("people").
			GroupBy(func(_ int, people int64) int64 { return people }).Count("how often")
	}, func(in []amount) map[int64]int64 {
		people, often := map[int]int64{}, map[int64]int64{}
		for _, n := range naiveSums(in) {
			people[n]++
		}
		for _, n := range people {
			often[n]++
		}
		return often
	}},
	{"filtered and mapped between", func(s millrace.Stream[amount]) millrace.Table[int64, int64] {
		return sums(s).Filter("even", func(_ string, n int) bool { return n%2 == 0 }).
			MapValues("third", func(_ string, n int) int64 { return int64(n / 3) }).
			Filter("not 1", func(_ string, n int64) bool { return n != 1 }).
			GroupBy(func(who string, _ int64) int64 { return int64(len(who)) }).Sum("total", func(n int64) int64 { return n })
	}, func(in []amount) map[int64]int64 {
		m := map[int64]int64{}
		for who, n := range naiveSums(in) {
			if v := int64(n / 3); n%2 == 0 && v != 1 {
				m[int64(len(who))] += v
			}
		}
		return m
	}},
	{"extremes, and what has the same", func(s millrace.Stream[amount]) millrace.Table[int64, int64] {
		return sums(s).GroupBy(func(who string, _ int) string { return who[:1] }).Max("max", func(n int) int { return n }).
			GroupBy(func(_ string, n int) int64 { return int64(n) % 3 }).Min("min", func(n int) int64 { return int64(n) })
	}, func(in []amount) map[int64]int64 {
		greatest, least := map[string]int{}, map[int64]int64{}
		for who, n := range naiveSums(in) {
			if old, ok := greatest[who[:1]]; !ok || n > old {
				greatest[who[:1]] = n
			}
		}
		for _, n := range greatest {
			k := int64(n) % 3
			if old, ok := least[k]; !ok || int64(n) < old {
				least[k] = int64(n)
			}
		}
		return least
	}},
	{"a processor's rows, which come and go", func(s millrace.Stream[amount]) millrace.Table[int64, int64] {
		return s.KeyBy(amount.who).ProcessTable("balance", func(su *millrace.Setup[string, int]) millrace.Handler[string, amount, int] {
			balance := su.Value[int]("balance", state.Forever)
			return func(c *millrace.Context[string, int], a amount) error {
				n, _ := balance.Get()
				balance.Set(n + a.n())
				if n += a.n(); n%4 == 0 {
					c.Withdraw()
				} else {
					c.Emit(n)
				}
				return nil
			}
		}).GroupBy(func(_ string, n int) int64 { return int64(n) % 4 }).Count("count")
	}, func(in []amount) map[int64]int64 {
		m := map[int64]int64{}
		for _, n := range naiveSums(in) {
			if n%4 != 0 {
				m[int64(n)%4]++
			}
		}
		return m
	}},
}

// After every record, and whatever happens to the tasks meanwhile, several aggregations in a row are what the records make when all
// are looked at anew.
func TestAggregationsInARowStayExact(t *testing.T) {
	for _, c := range chains {
		t.Run(c.name, func(t *testing.T) {
			for seed := range invariants.Sized[uint64](30, 3) {
				random := rand.New(rand.NewPCG(seed, 7))
				var sent []amount
				millracetest.PlayOne(t, millracetest.RandomVariant(seed), func(s *millracetest.Script) {
					in, out := s.Input[amount](), s.Output[millrace.Pair[int64, int64]]()
					s.Build(func(j *millrace.Job) { c.build(j.From("in", in)).To("out", out, millrace.Update) })
					for range 40 {
						a := amount{fmt.Sprint(random.IntN(12)), random.IntN(9) - 4}
						in.Send(a)
						sent = append(sent, a)
						got, want := millracetest.Rows(out), c.naive(sent)
						if !maps.Equal(got, want) {
							s.T().Fatalf("seed %d, after %d records %v: rows %v, want %v", seed, len(sent), sent, sorted(got), sorted(want))
						}
					}
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) (rows []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		rows = append(rows, fmt.Sprint(k, "=", m[k]))
	}
	return rows
}
