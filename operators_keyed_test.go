package millrace_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

type amount struct {
	Who string
	N   int
}

func (a amount) who() string { return a.Who }
func (a amount) n() int      { return a.N }

var amounts = []amount{{"ann", 3}, {"bob", 5}, {"ann", -1}, {"cleo", 7}, {"ann", 4}, {"bob", 0}, {"dan", 1}}

func wantRows[K comparable, V comparable](t *testing.T, got, want map[K]V) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKeyedCount(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[string, int64] {
		return s.KeyBy(amount.who).Count("count", state.Forever)
	}, amounts...)
	wantRows(t, got, map[string]int64{"ann": 3, "bob": 2, "cleo": 1, "dan": 1})
}

// A key that gets no record for its time to live begins anew, whatever happened to the tasks meanwhile.
func TestKeyedCountForgets(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[millrace.Pair[string, int64]]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).KeyBy(func(v string) string { return v }).Count("count", time.Hour).To("out", out, millrace.Update)
		})
		in.Send("a", "b", "a")
		s.Advance(40 * time.Minute)
		in.Send("a")
		s.Advance(40 * time.Minute)
		in.Send("a", "b")
		wantRows(s.T(), millracetest.Rows(out), map[string]int64{"a": 4, "b": 1})
		s.Advance(2 * time.Hour)
		in.Send("a")
		wantRows(s.T(), millracetest.Rows(out), map[string]int64{"a": 1, "b": 1})
	})
}

func TestKeyedSum(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[string, int] {
		return s.KeyBy(amount.who).Sum("sum", state.Forever, amount.n)
	}, amounts...)
	wantRows(t, got, map[string]int{"ann": 6, "bob": 5, "cleo": 7, "dan": 1})
}

func TestKeyedReduce(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[string, amount] {
		return s.KeyBy(amount.who).Reduce("max", state.Forever, func(a, b amount) amount { return amount{a.Who, max(a.N, b.N)} })
	}, amounts...)
	wantRows(t, got, map[string]amount{"ann": {"ann", 4}, "bob": {"bob", 5}, "cleo": {"cleo", 7}, "dan": {"dan", 1}})
}

func TestKeyedAggregate(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[amount]) millrace.Table[string, string] {
		return s.KeyBy(amount.who).Aggregate("list", state.Forever, func(list string, a amount) string { return fmt.Sprint(list, a.N, ";") })
	}, amounts...)
	wantRows(t, got, map[string]string{"ann": "3;-1;4;", "bob": "5;0;", "cleo": "7;", "dan": "1;"})
}

var bigTag = millrace.NewTag[amount]("big")

// ledger keeps a value, a list and a map, and tells the sum of a key that was silent for a minute; what is big goes aside.
func ledger(s *millrace.Setup[string, string]) millrace.Handler[string, amount, string] {
	sum := s.Value[int]("sum", state.Forever)
	recent := s.List[int]("recent", 10*time.Minute)
	seen := s.Map[int, int]("seen", 5*time.Minute)
	due := s.Value[int64]("due", state.Forever)
	silent := s.Timer("silent", func(c *millrace.Context[string, string], _ time.Time) error {
		n, _ := sum.Get()
		c.Emit(fmt.Sprintf("%s %d of %d", c.Key(), n, recent.Len()))
		due.Clear()
		return nil
	})
	return func(c *millrace.Context[string, string], a amount) error {
		if a.N > 5 {
			c.EmitTo(bigTag, a)
		}
		sum.Update(func(n int) int { return n + a.N })
		recent.Append(a.N)
		times, _ := seen.Get(a.N)
		seen.Set(a.N, times+1)
		if at, ok := due.Get(); ok {
			silent.Delete(time.Unix(0, at))
		}
		at := c.Now().Add(time.Minute)
		due.Set(at.UnixNano())
		silent.Set(at)
		return nil
	}
}

func TestKeyedProcess(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out, big := s.Input[amount](), s.Output[string](), s.Output[amount]()
		s.Build(func(j *millrace.Job) {
			made := j.From("in", in).KeyBy(amount.who).Process("ledger", ledger)
			made.To("out", out)
			made.Side(bigTag).To("big", big)
		})
		begin := s.Now()
		in.Send(amounts...)
		in.SendTogether(amounts...)
		big.Want(amount{"cleo", 7}, amount{"cleo", 7})
		wantRows(s.T(), s.State[string, int]("ledger", "sum"), map[string]int{"ann": 12, "bob": 10, "cleo": 14, "dan": 2})
		if got, want := fmt.Sprint(s.ListState[string, int]("ledger", "recent")["ann"]), "[3 -1 4 3 -1 4]"; got != want {
			s.T().Errorf("recent of ann: got %s, want %s", got, want)
		}
		wantRows(s.T(), s.MapState[string, int, int]("ledger", "seen")["bob"], map[int]int{5: 2, 0: 2})
		if got := s.Timers[string]("ledger"); len(got) != 4 || !got[0].At.Equal(begin.Add(time.Minute)) {
			s.T().Errorf("timers %v, want one for each key, in a minute", got)
		}
		s.Advance(30 * time.Second)
		in.Send(amount{"ann", 1})
		s.Advance(8 * time.Minute)
		out.WantRecords(
			millracetest.Record[string]{Time: begin.Add(60 * time.Second), Value: "bob 10 of 4"},
			millracetest.Record[string]{Time: begin.Add(60 * time.Second), Value: "cleo 14 of 2"},
			millracetest.Record[string]{Time: begin.Add(60 * time.Second), Value: "dan 2 of 2"},
			millracetest.Record[string]{Time: begin.Add(90 * time.Second), Value: "ann 13 of 7"},
		)
		if got := s.MapState[string, int, int]("ledger", "seen"); len(got) > 0 {
			s.T().Errorf("seen %v, whose time to live is over", got)
		}
		s.Advance(100 * time.Second) // behind the time to live of all elements but the last
		in.Send(amount{"ann", 2})
		s.Advance(time.Minute)
		out.Want("ann 15 of 1")
		if got := s.Timers[string]("ledger"); len(got) > 0 {
			s.T().Errorf("timers %v, which have fired", got)
		}
	})
}

// best keeps the largest amount of each name as its row, and withdraws the row of who sends nothing.
func best(s *millrace.Setup[string, int]) millrace.Handler[string, amount, int] {
	most := s.Value[int]("most", state.Forever)
	return func(c *millrace.Context[string, int], a amount) error {
		n, ok := most.Get()
		switch {
		case a.N == 0:
			most.Clear()
			c.Withdraw()
		case !ok || a.N > n:
			most.Set(a.N)
			c.Emit(a.N)
		}
		return nil
	}
}

func TestKeyedProcessTable(t *testing.T) {
	topology := func(s millrace.Stream[amount]) millrace.Table[string, int] {
		return s.KeyBy(amount.who).ProcessTable("best", best)
	}
	wantRows(t, millracetest.RunTable(t, topology, amounts...), map[string]int{"ann": 4, "cleo": 7, "dan": 1})
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[amount](), s.Output[millrace.Pair[string, int]]()
		s.Build(func(j *millrace.Job) { topology(j.From("in", in)).To("out", out, millrace.Update) })
		in.Send(amount{"ann", 2}, amount{"ann", 1}, amount{"ann", 5})
		out.Want(millrace.Pair[string, int]{Key: "ann", Value: 2}, millrace.Pair[string, int]{Key: "ann", Value: 5})
		in.Send(amount{"ann", 0})
		if got := out.Take(); len(got) != 1 || got[0].Kind != millracetest.Delete || got[0].Value.Key != "ann" {
			s.T().Errorf("got %v, want the row of ann deleted", got)
		}
		wantRows(s.T(), s.State[string, int]("best", "most"), nil)
	})
}

// The watermark alone moves these timers, whatever the clock on the wall says, and each at its own time.
func TestKeyedProcessEventTimers(t *testing.T) {
	at := time.Unix(1000, 0).UTC()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.TimedInput[visit](2), s.Output[string]()
		s.Build(func(j *millrace.Job) { j.From("in", in).KeyBy(visit.who).Process("quiet", quiet).To("out", out) })
		in.Split(0).SendAt(at, visit{"a", 1000}, visit{"b", 1000})
		in.Split(1).SendAt(at.Add(5*time.Second), visit{"a", 1005})
		s.Advance(time.Hour)
		in.Split(0).Watermark(at.Add(time.Minute))
		out.Want()
		if got := s.Timers[string]("quiet"); len(got) != 2 || got[0].Key != "b" || !got[1].At.Equal(at.Add(15*time.Second)) {
			s.T().Errorf("timers %v, want b's at 1010 and a's at 1015", got)
		}
		in.Split(1).Watermark(at.Add(12 * time.Second))
		out.Want("b gone at 1010, watermark true")
		in.Split(1).Watermark(at.Add(20 * time.Second))
		out.Want("a gone at 1015, watermark true")
		s.End()
		out.Want()
	})
}
