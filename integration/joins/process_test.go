package joins_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

// A processor of two inputs has one state and one set of timers for both.
func TestProcess2(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return l.Process2("both", r, func(s *millrace.Setup[string, joined]) (millrace.Handler[string, mark, joined], millrace.Handler[string, mark, joined]) {
				sum := s.Value[joined]("sum", state.Forever)
				out := s.EventTimer("out", func(c *millrace.Context[string, joined], _ time.Time) error {
					v, _ := sum.Get()
					c.Emit(v)
					return nil
				})
				add := func(c *millrace.Context[string, joined], l, r int) {
					sum.Update(func(j joined) joined { return joined{c.Key(), j.Left + l, j.Right + r} })
					out.Set(at(100))
				}
				return func(c *millrace.Context[string, joined], m mark) error { add(c, m.Name, 0); return nil },
					func(c *millrace.Context[string, joined], m mark) error { add(c, 0, m.Name); return nil }
			})
		})
		x.left.SendAt(at(1), mark{"a", 1}, mark{"b", 2})
		x.right.SendAt(at(2), mark{"a", 10}, mark{"c", 20})
		x.left.SendAt(at(3), mark{"a", 4})
		x.left.Watermark(at(200))
		x.out.WantRecords()
		x.right.Watermark(at(100))
		x.out.WantRecords(result(100, "a", 5, 10), result(100, "b", 2, 0), result(100, "c", 0, 20))
		s.End()
	})
}

// A processor without keys emits any number of records, to side outputs too, and its error fails the job by name.
func TestProcessWithoutKeys(t *testing.T) {
	odd := millrace.NewTag[int]("odd")
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out, side := s.Input[int](), s.Output[string](), s.Output[int]()
		s.Build(func(j *millrace.Job) {
			p := j.From("in", in).Process("split", func(c *millrace.Context[millrace.Unkeyed, string], v int) error {
				if v%2 == 1 {
					c.EmitTo(odd, v)
					return nil
				}
				for range v {
					c.Emit(fmt.Sprint(v))
				}
				return nil
			})
			p.To("out", out)
			p.Side(odd).To("odd", side)
		})
		in.Send(1, 2, 3, 0)
		out.Want("2", "2")
		side.Want(1, 3)
		s.End()
	})
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		in := s.Input[int]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).Process("refuse", func(*millrace.Context[millrace.Unkeyed, int], int) error { return errors.New("no more") }).
				To("out", s.Output[int]())
		})
		if err := s.Failure(func() { in.Send(1) }); err == nil || !strings.Contains(err.Error(), `operator "refuse"`) || !strings.Contains(err.Error(), "no more") {
			t.Errorf("error %v", err)
		}
	})
}
