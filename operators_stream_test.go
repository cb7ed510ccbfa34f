package millrace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/operators"
)

func wantSlice[U comparable](t *testing.T, got []U, want ...U) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func even(n int) bool { return n%2 == 0 }

func TestStreamMap(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[string]) millrace.Stream[int] {
		return s.Map("length", func(v string) int { return len(v) })
	}, "a", "", "abc")
	wantSlice(t, got, 1, 0, 3)
}

func TestStreamFilterCountsWhatItDrops(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[int]) millrace.Stream[int] { return s.Filter("even", even) }, 1, 2, 3, 4, 4)
	wantSlice(t, got, 2, 4, 4)
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[int](), s.Output[int]()
		s.Build(func(j *millrace.Job) { j.From("in", in).Filter("even", even).To("out", out) })
		in.SendTogether(1, 2, 3, 5)
		out.Want(2)
		if d := s.Dropped(); d.Filtered != 3 {
			s.T().Errorf("%d filtered, want 3", d.Filtered)
		}
	})
}

func TestStreamFlatMap(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[int]) millrace.Stream[string] {
		return s.FlatMap("repeat", func(n int, emit func(string)) {
			for i := range n {
				emit(fmt.Sprint(n, i))
			}
		})
	}, 2, 0, 3)
	wantSlice(t, got, "2 0", "2 1", "3 0", "3 1", "3 2")
}

func TestStreamUnion(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[int]) millrace.Stream[int] {
		return s.Filter("even", even).Union("both", s.Map("negative", func(n int) int { return -n }), s)
	}, 1, 2)
	slices.Sort(got)
	wantSlice(t, got, -2, -1, 1, 2, 2)
	millracetest.Play(t, func(s *millracetest.Script) {
		a, b, out := s.TimedInput[string](), s.TimedInput[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) {
			j.From("a", a).Union("both", j.From("b", b)).To("out", out)
		})
		at := s.Now()
		a.SendAt(at, "a1", "a2")
		b.SendAt(at, "b1")
		out.Want("a1", "a2", "b1")
		a.Watermark(at.Add(time.Hour))
		if got, ok := s.Watermark("both"); ok {
			s.T().Errorf("watermark %v, but one input has none", got)
		}
		b.Watermark(at)
		if got, _ := s.Watermark("both"); !got.Equal(at) {
			s.T().Errorf("watermark %v, want the earlier %v", got, at)
		}
	})
}

func TestStreamRepartition(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[int]) millrace.Stream[int] {
		return s.Repartition("three", 3).Map("twice", func(n int) int { return 2 * n }).Repartition("one", 1)
	}, 1, 2, 3, 4, 5, 6, 7)
	slices.Sort(got)
	wantSlice(t, got, 2, 4, 6, 8, 10, 12, 14)
}

func TestStreamRepartitionByKeepsTheOrderOfAKey(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).RepartitionBy("by letter", 3, func(v string) string { return v[:1] }).To("out", out)
		})
		in.SendTogether("a1", "b1", "c1", "a2", "b2", "a3", "d1", "b3", "c2")
		last := map[byte]string{}
		for _, v := range out.Values() {
			if v <= last[v[0]] {
				s.T().Errorf("%s came behind %s", v, last[v[0]])
			}
			last[v[0]] = v
		}
		out.Want("a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "d1")
	})
}

func TestStreamRebalance(t *testing.T) {
	got := millracetest.Run(t, func(s millrace.Stream[string]) millrace.Stream[string] {
		return s.Rebalance("spread").Map("upper", strings.ToUpper)
	}, "a", "b", "c", "d", "a")
	slices.Sort(got)
	wantSlice(t, got, "A", "A", "B", "C", "D")
}

// Every record reaches every task of the reader, so what comes out depends on the parallelism, and on nothing else.
func TestStreamBroadcast(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) { j.From("in", in).Broadcast("all").To("out", out) })
		for _, v := range []string{"a", "b", "c", "d"} {
			tasks := s.Parallelism()
			in.Send(v)
			got := len(out.Take())
			if again := s.Parallelism(); got != tasks && (!s.Variant().Crash || got != again) { // of the tasks before a crash, or of those behind it
				s.T().Errorf("%s came out %d times, want %d times", v, got, tasks)
			}
		}
	})
}

func TestStreamEventTime(t *testing.T) {
	at := time.Unix(5000, 0).UTC()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[time.Time](2), s.Output[time.Time]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).EventTime("clock", millrace.Watermark{Delay: time.Minute, Idle: time.Hour, DropUndated: true},
				func(v time.Time) time.Time { return v }).To("out", out)
		})
		in.Send(at, at.Add(-time.Second), time.Time{})
		out.WantRecords(millracetest.Record[time.Time]{Time: at, Value: at}, millracetest.Record[time.Time]{Time: at.Add(-time.Second), Value: at.Add(-time.Second)})
		if late := s.Late(); late != 1 {
			s.T().Errorf("%d late, want the undated one", late)
		}
		if got, ok := s.Watermark("clock"); ok {
			s.T().Errorf("watermark %v, but a split has shown nothing", got)
		}
		in.Split(1).Send(at.Add(time.Hour))
		if got, want := fst(s.Watermark("clock")), at.Add(-time.Minute); !got.Equal(want) {
			s.T().Errorf("watermark %v, want the slower split's %v", got, want)
		}
	})
}

func fst[A, B any](a A, _ B) A { return a }

func TestStreamEventTimeNamesAnUndatedRecord(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[time.Time](), s.Output[time.Time]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).EventTime("clock", millrace.Watermark{}, func(v time.Time) time.Time { return v }).To("out", out)
		})
		err := s.Failure(func() { in.Send(time.Time{}) })
		if err == nil || !strings.Contains(err.Error(), `operator "clock"`) || !strings.Contains(err.Error(), operators.ErrUndated.Error()) {
			s.T().Errorf("error %v, want one that names operator and cause", err)
		}
	})
}

func TestStreamSourceTime(t *testing.T) {
	at := time.Unix(5000, 0).UTC()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).SourceTime("clock", millrace.Watermark{Delay: time.Second}).To("out", out)
		})
		in.SendAt(at, "a")
		in.SendAt(at.Add(-time.Minute), "b")
		out.WantRecords(millracetest.Record[string]{Time: at, Value: "a"}, millracetest.Record[string]{Time: at.Add(-time.Minute), Value: "b"})
		if got := fst(s.Watermark("clock")); !got.Equal(at.Add(-time.Second)) && s.Parallelism() == 1 {
			s.T().Errorf("watermark %v, want %v", got, at.Add(-time.Second))
		}
	})
}

func TestStreamProcessingTime(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[string]()
		s.Build(func(j *millrace.Job) { j.From("in", in).ProcessingTime("clock").To("out", out) })
		first := s.Now()
		in.SendAt(time.Unix(0, 0), "a")
		s.Advance(time.Minute)
		in.SendAt(time.Unix(0, 0), "b")
		out.WantRecords(millracetest.Record[string]{Time: first, Value: "a"}, millracetest.Record[string]{Time: first.Add(time.Minute), Value: "b"})
	})
}

func TestStreamTo(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, one, two := s.Input[int](), s.Output[int](), s.Output[int]()
		s.Build(func(j *millrace.Job) {
			numbers := j.From("in", in)
			numbers.To("one", one)
			numbers.Repartition("spread", 2).To("two", two)
		})
		in.SendTogether(1, 2, 3)
		one.WantInOrder(1, 2, 3)
		two.Want(1, 2, 3)
		s.End()
		one.Want()
		two.Want()
	})
}
