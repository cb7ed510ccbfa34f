package millrace_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/state"
)

type wordCounts = millrace.Pair[string, int64]

// few is a table whose rows come and go: a word with three records or more has none.
func few(s millrace.Stream[string]) millrace.Table[string, int64] {
	return s.KeyBy(itself).Count("count", state.Forever).Filter("few", func(_ string, n int64) bool { return n < 3 })
}

// wantBatch takes what came out and compares it by kind, key and value.
func wantBatch(s *millracetest.Script, out *millracetest.Output[wordCounts], want ...string) {
	s.T().Helper()
	var got []string
	for _, r := range out.Take() {
		got = append(got, fmt.Sprintf("%v %s=%d", r.Kind, r.Value.Key, r.Value.Value))
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		s.T().Errorf("a batch brought %q, want %q", got, want)
	}
}

// Whatever is restored in between: at the end of a batch a row that changed comes once, and one that came and went does not.
func TestUpdateInBatchesThroughRestores(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[string](), s.Output[wordCounts]()
		s.Config.Trigger = millrace.MicroBatch()
		s.Build(func(j *millrace.Job) { few(j.From("in", in)).To("out", out, millrace.Update) })
		in.Send("a", "b", "a", "c", "c", "c")
		wantBatch(s, out)
		s.EndBatch()
		wantBatch(s, out, "insert a=2", "insert b=1")
		s.EndBatch()
		wantBatch(s, out)
		in.Send("a", "b", "d")
		s.EndBatch()
		wantBatch(s, out, "delete a=2", "insert b=2", "insert d=1")
		in.Send("d")
		s.End()
		wantBatch(s, out, "insert d=2")
	})
}

// A complete table comes at the end of each batch in which it changed, in real time as in batches, and empty as a deletion.
func TestCompleteThroughRestores(t *testing.T) {
	for _, trigger := range []millrace.Trigger{millrace.RealTime(0), millrace.MicroBatch()} {
		t.Run(trigger.String(), func(t *testing.T) {
			millracetest.Play(t, func(s *millracetest.Script) {
				in, out := s.Input[string](), s.Output[wordCounts]()
				s.Config.Trigger = trigger
				s.Build(func(j *millrace.Job) { few(j.From("in", in)).To("out", out, millrace.Complete) })
				in.Send("a", "b", "a")
				wantBatch(s, out)
				s.EndBatch()
				wantBatch(s, out, "insert a=2", "insert b=1")
				s.EndBatch()
				wantBatch(s, out)
				in.Send("a")
				s.EndBatch()
				wantBatch(s, out, "insert b=1")
				in.Send("b", "b")
				s.End()
				wantBatch(s, out, "delete b=2")
			})
		})
	}
}

// A batch that is called again has the same number and the same rows, whatever is restored in between.
func TestForEachBatchThroughRestores(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, batches := s.Input[string](), map[int64][]string{}
		s.Config.Trigger = millrace.MicroBatch()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).To("out", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[string]) error {
				var got []string
				for _, r := range rows {
					got = append(got, r.Value)
				}
				if before, ok := batches[batch]; ok && !slices.Equal(before, got) {
					return fmt.Errorf("batch %d was %q and is %q", batch, before, got)
				}
				batches[batch] = got
				return nil
			}))
		})
		in.Send("a", "b")
		in.SendTogether("c", "d")
		s.EndBatch()
		in.Send("e")
		s.EndBatch()
		s.EndBatch()
		in.Send("f")
		s.End()
		if want := (map[int64][]string{0: {"a", "b", "c", "d"}, 1: {"e"}, 3: {"f"}}); fmt.Sprint(batches) != fmt.Sprint(want) {
			s.T().Errorf("batches %v, want %v", batches, want)
		}
	})
}
