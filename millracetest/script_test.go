package millracetest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

func words(line string, emit func(string)) {
	for _, w := range strings.Fields(line) {
		emit(w)
	}
}

func itself(s string) string { return s }

func TestRunGivesThePlainOutput(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[string]) millrace.Stream[string] {
		return s.FlatMap("words", words).Map("upper", strings.ToUpper)
	}, "a b", "c", "", "a d")
	if want := []string{"A", "B", "C", "A", "D"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunTableGivesTheLastRows(t *testing.T) {
	got := millracetest.RunTable(t, func(s millrace.Stream[string]) millrace.Table[string, int64] {
		return s.FlatMap("words", words).KeyBy(itself).Count("count", state.Forever)
	}, "a b", "c a", "a b")
	if want := map[string]int64{"a": 3, "b": 2, "c": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// quiet tells, a minute after the last record of a key, how many there were.
func quiet(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
	n := s.Value[int]("n", state.Forever)
	seen := s.Map[int, string]("seen", 2*time.Minute)
	all := s.List[string]("all", state.Forever)
	timer := s.Timer("quiet", func(c *millrace.Context[string, string], at time.Time) error {
		count, _ := n.Get()
		n.Clear()
		c.Emit(fmt.Sprintf("%s %d", c.Key(), count))
		return nil
	})
	return func(c *millrace.Context[string, string], v string) error {
		for _, at := range timer.All() {
			timer.Delete(at)
		}
		timer.Set(c.Now().Add(time.Minute))
		n.Update(func(n int) int { return n + 1 })
		count, _ := n.Get()
		seen.Set(count, v)
		all.Append(v)
		return nil
	}
}

func TestPlayControlsTimeAndShowsState(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) { j.From("in", in).KeyBy(itself).Process("quiet", quiet).To("out", out) })
		begin := s.Now()
		in.Send("ann", "bob")
		s.Advance(30 * time.Second)
		in.Send("ann")
		out.Want()
		if got, want := s.State[string, int]("quiet", "n"), (map[string]int{"ann": 2, "bob": 1}); !maps.Equal(got, want) {
			s.T().Errorf("state n: got %v, want %v", got, want)
		}
		if got, want := s.MapState[string, int, string]("quiet", "seen"), "map[ann:map[1:ann 2:ann] bob:map[1:bob]]"; fmt.Sprint(got) != want {
			s.T().Errorf("state seen: got %v, want %v", got, want)
		}
		if got, want := s.ListState[string, string]("quiet", "all"), "map[ann:[ann ann] bob:[bob]]"; fmt.Sprint(got) != want {
			s.T().Errorf("state all: got %v, want %v", got, want)
		}
		wantTimers := []millracetest.Timer[string]{{"bob", "quiet", begin.Add(time.Minute)}, {"ann", "quiet", begin.Add(90 * time.Second)}}
		if got := s.Timers[string]("quiet"); !slices.Equal(got, wantTimers) {
			s.T().Errorf("timers: got %v, want %v", got, wantTimers)
		}
		s.Advance(time.Hour)
		out.WantRecords(
			millracetest.Record[string]{Value: "bob 1", Time: begin.Add(time.Minute)},
			millracetest.Record[string]{Value: "ann 2", Time: begin.Add(90 * time.Second)},
		)
		if got := s.MapState[string, int, string]("quiet", "seen"); len(got) > 0 {
			s.T().Errorf("state seen after its time to live: got %v, want nothing", got)
		}
		if got := s.Timers[string]("quiet"); len(got) > 0 {
			s.T().Errorf("timers that have fired: got %v, want none", got)
		}
		s.End()
		out.Want()
	})
}
