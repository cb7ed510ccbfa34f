package windows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// chained are windows with a grace, each a way for panes to come out long after their end.
var chained = map[string]millrace.Windows{
	"tumbling": millrace.Tumbling{Size: 10 * time.Millisecond, Grace: 5 * time.Millisecond},
	"sliding":  millrace.Sliding{Size: 10 * time.Millisecond, Slide: 5 * time.Millisecond, Offset: time.Millisecond, Grace: 5 * time.Millisecond},
	"session":  millrace.Session{Gap: 6 * time.Millisecond, Grace: 5 * time.Millisecond},
}

// What waits for the grace is not late behind it: the watermark that goes on stays before the panes that may still come out.
func TestPanesOfAGraceAreNotLateForTheNextWindow(t *testing.T) {
	readers := map[string]func(millrace.Panes[string, int64]) millrace.Stream[ping]{
		"final": func(p millrace.Panes[string, int64]) millrace.Stream[ping] {
			return p.Stream("values", paneOf)
		},
		"changes": func(p millrace.Panes[string, int64]) millrace.Stream[ping] {
			return p.Changes("values", paneOf)
		},
	}
	for windows, w := range chained {
		for reader, read := range readers {
			t.Run(windows+"/"+reader, func(t *testing.T) {
				millracetest.Play(t, func(s *millracetest.Script) {
					in, out := s.TimedInput[ping](), s.Output[int]()
					s.Build(func(j *millrace.Job) {
						read(j.From("in", in).KeyBy(pingKey).Window(w).Count("first")).
							KeyBy(pingKey).Window(millrace.Tumbling{Size: 10 * time.Millisecond}).
							Max("second", pingNumber).Stream("numbers", func(p millrace.Pane[string, int]) int { return p.Value }).
							To("out", out)
					})
					in.SendAt(at(3), ping{Key: "k"})
					in.SendAt(at(4), ping{Key: "k"})
					in.Watermark(at(12))
					in.SendAt(at(5), ping{Key: "k"})
					in.SendAt(at(5), ping{Key: "other"})
					in.Watermark(at(40))
					if n := s.Late(); n != 0 || !slices.Contains(out.Values(), 3) {
						s.T().Errorf("%d late, want 0; numbers %v, want the 3 records of key k among them", n, out.Values())
					}
				})
			})
		}
	}
}

func paneOf(p millrace.Pane[string, int64]) ping { return ping{Key: p.Key, N: int(p.Value)} }

// A question about a pane holds the watermark before the pane's time, although the task's own is behind the window's end already.
func TestNoWatermarkPassesAPaneThatIsAskedAbout(t *testing.T) {
	ask := func(ctx context.Context, p ping) (ping, error) {
		select {
		case <-time.After(time.Second):
			return p, nil
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.TimedInput[ping](), s.Output[int]()
		s.Build(func(j *millrace.Job) {
			j.From("in", in).KeyBy(pingKey).Window(millrace.Tumbling{Size: 10 * time.Millisecond}).Count("first").
				Stream("values", paneOf).AsyncLookup("ask", millrace.Lookup{}, ask).
				KeyBy(pingKey).Window(millrace.Tumbling{Size: 10 * time.Millisecond}).
				Max("second", pingNumber).Stream("numbers", func(p millrace.Pane[string, int]) int { return p.Value }).
				To("out", out)
		})
		in.SendAt(at(3), ping{Key: "k"})
		in.SendAt(at(4), ping{Key: "k"})
		in.Watermark(at(10))
		out.Want()
		for range 5 { // a restore asks again
			s.Advance(time.Second)
		}
		if n := s.Late(); n != 0 {
			s.T().Errorf("%d late, want 0", n)
		}
		out.Want(2)
	})
}
