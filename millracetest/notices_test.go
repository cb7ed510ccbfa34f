package millracetest_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// A kit that finds nothing is worth nothing: each of these topologies is wrong in one way, and each variant finds some.
func TestRunNotices(t *testing.T) {
	inMemory := func(s millrace.Stream[string]) millrace.Stream[int] {
		return s.KeyBy(itself).Process("n", func(*millrace.Setup[string, int]) millrace.Handler[string, string, int] {
			n := map[string]int{}
			return func(c *millrace.Context[string, int], v string) error {
				n[v]++
				c.Emit(n[v])
				return nil
			}
		})
	}
	perTask := func(s millrace.Stream[string]) millrace.Stream[int] {
		return s.Map("n", func(v string) int { return len(v) }).KeyBy(func(n int) int { return n }).
			Process("n-th", func(p *millrace.Setup[int, int]) millrace.Handler[int, int, int] {
				n := 0
				return func(c *millrace.Context[int, int], _ int) error {
					n++
					c.Emit(n)
					return nil
				}
			})
	}
	batches := func(s millrace.Stream[string]) millrace.Stream[int] {
		return s.Repartition("deal", 2).KeyBy(func(string) bool { return true }).
			Process("order", func(p *millrace.Setup[bool, int]) millrace.Handler[bool, string, int] {
				last := p.Value[string]("last", state.Forever)
				return func(c *millrace.Context[bool, int], v string) error {
					if l, _ := last.Get(); l < v {
						c.Emit(1)
					}
					last.Set(v)
					return nil
				}
			})
	}
	in := []string{"a", "b", "a", "cc", "d", "eee", "b", "f", "g", "hh"}
	for _, c := range []struct {
		name     string
		topology func(millrace.Stream[string]) millrace.Stream[int]
		want     []string // variants that find it
	}{
		{"state in Go memory", inMemory, []string{"restored after", "rescaled", "crashed"}},
		{"state in Go memory of a task", perTask, []string{"restored after", "parallelism 2", "parallelism 4", "rescaled"}},
		{"order behind a repartition", batches, []string{"all records together"}},
	} {
		complaints := millracetest.Complaints(t, c.topology, in...)
		for _, want := range c.want {
			found := false
			for _, got := range complaints {
				found = found || strings.Contains(strings.SplitN(got, "\n", 2)[0], want)
			}
			if !found {
				t.Errorf("%s: no complaint of %q among %q", c.name, want, complaints)
			}
		}
	}
}

func TestOutputsAreComparedAsMultisets(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		got, want []float64
		differs   bool
	}{
		{[]float64{1, 2, 1}, []float64{1, 1, 2}, false},
		{[]float64{1, 2, 2}, []float64{1, 1, 2}, true},
		{[]float64{1, 2}, []float64{1, 2, 2}, true},
		{[]float64{1, 2, 2}, []float64{1, 2}, true},
		{[]float64{nan, 1}, []float64{1, nan}, false},
		{nil, nil, false},
	} {
		if got := millracetest.Differs(c.got, c.want); got != c.differs {
			t.Errorf("%v against %v: differs is %v, want %v", c.got, c.want, got, c.differs)
		}
	}
}

func TestFailureNamesTheOperator(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[int]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).Map("index", func(v string) int { return int("abc"[len(v)]) }).To("out", out)
		})
		in.Send("", "1")
		err := s.Failure(func() { in.Send("four") })
		if err == nil || !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "run chain in") {
			s.T().Errorf("error %v, want the panic and its chain", err)
		}
		out.Want('a', 'b')
	})
}

func TestWatermarksAndLateRecords(t *testing.T) {
	epoch := time.Unix(1000, 0).UTC()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.TimedInput[string](2), s.Output[string]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).Filter("not x", func(v string) bool { return v != "x" }).To("out", out)
		})
		in.Split(0).SendAt(epoch, "a", "x")
		if at, ok := s.Watermark("in"); ok {
			s.T().Errorf("watermark %v before any was sent", at)
		}
		in.Split(0).Watermark(epoch.Add(2 * time.Second))
		in.Split(1).Watermark(epoch.Add(time.Second))
		if at, _ := s.Watermark("in"); !at.Equal(epoch.Add(time.Second)) {
			s.T().Errorf("watermark %v, want the earlier split's %v", at, epoch.Add(time.Second))
		}
		in.Watermark(epoch.Add(time.Minute))
		if at, _ := s.Watermark("in"); !at.Equal(epoch.Add(time.Minute)) {
			s.T().Errorf("watermark %v, want %v", at, epoch.Add(time.Minute))
		}
		if got, want := s.Dropped(), (millracetest.Dropped{Filtered: 1}); got != want {
			s.T().Errorf("dropped %+v, want %+v", got, want)
		}
		out.WantRecords(millracetest.Record[string]{Time: epoch, Value: "a"})
		s.End()
		if at, ok := s.Watermark("in"); !ok || at.UnixNano() != math.MaxInt64 {
			s.T().Errorf("watermark %v at the end, want the final one", at)
		}
	})
}

// A source or sink that waits runs on goroutines of the bubble, and its time is the script's.
func TestBlockingSourceRunsOnVirtualTime(t *testing.T) {
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		out := s.Output[int]()
		s.Build(func(j *millrace.Job) {
			j.From("in", sources.Seq(func(yield func(int) bool) {
				for i := range 3 {
					if <-time.After(time.Second); !yield(i) {
						return
					}
				}
			})).To("out", out)
		})
		out.Want()
		s.Advance(time.Second)
		out.Want(0)
		s.Advance(time.Hour)
		out.WantInOrder(1, 2)
	})
}

// What the engine's restore got wrong once: a split is silent from the restore on, not since ever.
func TestRestoredSplitIsNotIdleAtOnce(t *testing.T) {
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		in, out := s.Input[time.Time](2), s.Output[time.Time]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).EventTime("clock", millrace.Watermark{Idle: time.Minute}, func(at time.Time) time.Time { return at }).To("out", out)
		})
		at := s.Now()
		in.Send(at)
		s.Advance(30 * time.Second)
		s.Snapshot()
		s.Restore(1)
		s.Advance(31 * time.Second)
		if got, ok := s.Watermark("clock"); ok {
			s.T().Errorf("watermark %v a minute after the start, but %v after the restore: the silent split holds it", got, 31*time.Second)
		}
		s.Advance(29 * time.Second)
		if got, _ := s.Watermark("clock"); !got.Equal(at) {
			s.T().Errorf("watermark %v a minute after the restore, want %v", got, at)
		}
	})
}
