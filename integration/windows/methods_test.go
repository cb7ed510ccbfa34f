package windows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

func at(ms int64) time.Time { return time.UnixMilli(startMS + ms).UTC() }

// aggregate plays five records of one key in one window of 10 ms and demands what comes of it, once, at the window's end.
func aggregate[V any](t *testing.T, want V, of func(millrace.Windowed[string, ping]) millrace.Panes[string, V]) {
	t.Helper()
	aggregateOver(t, millrace.Tumbling{Size: 10 * time.Millisecond}, at(0), at(10), want, of)
	// The same of several slices, which are merged.
	aggregateOver(t, millrace.Sliding{Size: 10 * time.Millisecond, Slide: 10 * time.Millisecond / 5, Offset: time.Millisecond}, at(-1), at(9), want, of)
}

func aggregateOver[V any](t *testing.T, w millrace.Windows, start, end time.Time, want V, of func(millrace.Windowed[string, ping]) millrace.Panes[string, V]) {
	t.Helper()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.TimedInput[ping](), s.Output[V]()
		s.Build(func(j *millrace.Job) {
			of(j.From("in", in).KeyBy(pingKey).Window(w)).
				Filter("one", func(p millrace.Pane[string, V]) bool { return p.Start.Equal(start) && p.End.Equal(end) }).
				Stream("values", func(p millrace.Pane[string, V]) V { return p.Value }).
				To("out", out)
		})
		for i, n := range []int{3, 1, 4, 1, 5} {
			in.SendAt(at(int64(2*i)), ping{Key: "k", N: n})
		}
		in.Watermark(end.Add(-1))
		out.Want()
		in.Watermark(end)
		out.Want(want)
	})
}

func TestAggregates(t *testing.T) {
	type w = millrace.Windowed[string, ping]
	t.Run("count", func(t *testing.T) {
		aggregate(t, 5, func(w w) millrace.Panes[string, int64] { return w.Count("n") })
	})
	t.Run("sum", func(t *testing.T) {
		aggregate(t, 14, func(w w) millrace.Panes[string, int] { return w.Sum("n", pingNumber) })
	})
	t.Run("min", func(t *testing.T) {
		aggregate(t, 1, func(w w) millrace.Panes[string, int] { return w.Min("n", pingNumber) })
	})
	t.Run("max", func(t *testing.T) {
		aggregate(t, 5, func(w w) millrace.Panes[string, int] { return w.Max("n", pingNumber) })
	})
	t.Run("avg", func(t *testing.T) {
		aggregate(t, 2.8, func(w w) millrace.Panes[string, float64] { return w.Avg("n", pingNumber) })
	})
	t.Run("count distinct", func(t *testing.T) {
		aggregate(t, 4, func(w w) millrace.Panes[string, int64] { return w.CountDistinct("n", pingNumber) })
	})
	t.Run("collect", func(t *testing.T) {
		aggregate(t, []int{3, 1, 4, 1, 5}, func(w w) millrace.Panes[string, []int] { return w.Collect("n", pingNumber) })
	})
	t.Run("top", func(t *testing.T) {
		aggregate(t, "5 4 3", func(w w) millrace.Panes[string, string] {
			top := w.TopN("n", 3, func(a, b ping) bool { return a.N > b.N })
			return top.MapValues("text", func(p millrace.Pane[string, []ping]) string {
				var all []string
				for _, v := range p.Value {
					all = append(all, string(rune('0'+v.N)))
				}
				return strings.Join(all, " ")
			})
		})
	})
	t.Run("reduce", func(t *testing.T) {
		aggregate(t, ping{Key: "k", N: 14}, func(w w) millrace.Panes[string, ping] {
			return w.Reduce("n", func(a, b ping) ping { return ping{Key: a.Key, N: a.N + b.N} })
		})
	})
	t.Run("aggregate", func(t *testing.T) {
		aggregate(t, "31415", func(w w) millrace.Panes[string, string] {
			return w.Aggregate("n", func(a string, p ping) string { return a + string(rune('0'+p.N)) }, func(a, b string) string { return a + b })
		})
	})
}

func TestLateRecordsGoToTheSide(t *testing.T) {
	late := millrace.NewTag[ping]("late")
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out, side := s.TimedInput[ping](), s.Output[int64](), s.Output[ping]()
		s.Build(func(j *millrace.Job) {
			panes := j.From("in", in).KeyBy(pingKey).Window(millrace.Tumbling{Size: 10 * time.Millisecond}).LateTo(late).Count("n")
			panes.Stream("values", func(p millrace.Pane[string, int64]) int64 { return p.Value }).To("out", out)
			panes.Side(late).To("side", side)
		})
		in.SendAt(at(9), ping{Key: "k", N: 1})
		in.Watermark(at(10))
		out.Want(1)
		in.SendAt(at(9), ping{Key: "k", N: 2})
		side.Want(ping{Key: "k", N: 2})
		in.SendAt(at(10), ping{Key: "k", N: 3})
		in.SendAt(at(19).Add(time.Millisecond-1), ping{Key: "k", N: 4})
		side.Want()
		s.End()
		out.Want(2)
		if s.Late() != 0 {
			t.Errorf("%d late, want 0: the side output took it", s.Late())
		}
	})
}

// firingPlay is a script of counted pings.
type firingPlay struct {
	in      *millracetest.TimedInput[ping]
	changes *millracetest.Output[int64]
	s       *millracetest.Script
}

func playFiring(t *testing.T, name string, w millrace.Windows, f millrace.Firing, do func(p firingPlay)) {
	t.Run(name, func(t *testing.T) {
		millracetest.Play(t, func(s *millracetest.Script) {
			p := firingPlay{s.TimedInput[ping](), s.Output[int64](), s}
			s.Build(func(j *millrace.Job) {
				j.From("in", p.in).KeyBy(pingKey).Window(w).Firing(f).Count("n").
					Changes("values", func(p millrace.Pane[string, int64]) int64 { return p.Value }).To("out", p.changes)
			})
			do(p)
		})
	})
}

func TestFiring(t *testing.T) {
	ten := millrace.Tumbling{Size: 10 * time.Millisecond, Grace: 5 * time.Millisecond}
	one := ping{Key: "k"}
	playFiring(t, "every record", ten, millrace.Firing{EveryRecord: true}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one)
		p.changes.Want(1, 2)
		p.in.Watermark(at(14))
		p.changes.Want()
		p.in.SendAt(at(1), one)
		p.changes.Want(3)
		p.in.Watermark(at(15))
		p.in.SendAt(at(1), one)
		p.changes.Want()
	})
	playFiring(t, "records", ten, millrace.Firing{Records: 2}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one, one)
		p.changes.Want(2)
		p.in.Watermark(at(10))
		p.changes.Want(3)
		p.in.SendAt(at(1), one)
		p.changes.Want(4)
		p.in.Watermark(at(15))
		p.changes.Want()
	})
	playFiring(t, "every interval", ten, millrace.Firing{Every: time.Second}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one)
		p.changes.Want()
		p.s.Advance(time.Second)
		p.changes.Want(2)
		p.s.Advance(time.Second)
		p.changes.Want()
		p.in.SendAt(at(1), one)
		p.in.Watermark(at(10))
		p.changes.Want(3)
		p.s.Advance(time.Second)
		p.changes.Want()
	})
	playFiring(t, "only at the end", ten, millrace.Firing{FinalOnly: true}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one)
		p.changes.Want()
		p.in.Watermark(at(10))
		p.changes.Want(2)
		p.in.SendAt(at(1), one)
		p.changes.Want(3)
	})
}

func TestFiringOfOtherWindows(t *testing.T) {
	one := ping{Key: "k"}
	playFiring(t, "sessions, interval", millrace.Session{Gap: 10 * time.Millisecond}, millrace.Firing{Every: time.Second}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one)
		p.changes.Want()
		p.s.Advance(time.Second)
		p.changes.Want(2)
		p.in.SendAt(at(2), one)
		p.in.Watermark(at(12))
		p.changes.Want(3)
	})
	playFiring(t, "sliding, interval", millrace.Sliding{Size: 20 * time.Millisecond, Slide: 10 * time.Millisecond}, millrace.Firing{Every: time.Second}, func(p firingPlay) {
		p.in.SendAt(at(1), one)
		p.in.SendAt(at(11), one)
		p.changes.Want()
		p.s.Advance(time.Second)
		p.changes.Want(1, 2, 1)
	})
	// What an interval has emitted does not come again when its windows close.
	playFiring(t, "sliding, interval, then the ends", millrace.Sliding{Size: 50 * time.Millisecond, Slide: 10 * time.Millisecond}, millrace.Firing{Every: time.Second}, func(p firingPlay) {
		p.in.SendAt(at(1), one)
		p.in.Watermark(at(10))
		p.changes.Want(1)
		p.s.Advance(time.Second)
		p.changes.Want(1, 1, 1, 1)
		p.in.Watermark(at(30))
		p.changes.Want()
		p.in.SendAt(at(31), one)
		p.in.Watermark(at(40))
		p.changes.Want(2)
	})
	playFiring(t, "for ever", millrace.Global{}, millrace.Firing{Records: 3}, func(p firingPlay) {
		p.in.SendAt(at(1), one, one, one, one)
		p.changes.Want(3)
		p.s.End()
		p.changes.Want(4)
	})
}

// Windows of the last records are those that a list of all of a key's records has.
func TestCountWindows(t *testing.T) {
	for _, c := range []struct{ size, every int }{{1, 0}, {3, 0}, {5, 2}, {10, 1}, {2, 5}, {4, 4}, {12, 3}} {
		millracetest.Play(t, func(s *millracetest.Script) {
			in, out := s.Input[ping](), s.Output[[]int]()
			s.Build(func(j *millrace.Job) {
				j.From("in", in).KeyBy(pingKey).Window(millrace.CountOf{Records: c.size, Every: c.every}).Collect("last", pingNumber).
					Stream("values", func(p millrace.Pane[string, []int]) []int { return p.Value }).To("out", out)
			})
			every := max(c.every, 1)
			if c.every == 0 {
				every = c.size
			}
			var all []int
			for n := range 40 {
				in.Send(ping{Key: "k", N: n})
				if all = append(all, n); len(all)%every == 0 {
					out.Want(slices.Clone(all[max(0, len(all)-c.size):]))
				} else {
					out.Want()
				}
			}
		})
	}
}

func TestCalendarWindowsFollowTheClocks(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		every          millrace.Period
		in, start, end string
		hours          float64
	}{
		{millrace.Day, "2026-03-29 12:00", "2026-03-29 00:00", "2026-03-30 00:00", 23},
		{millrace.Day, "2026-10-25 00:00", "2026-10-25 00:00", "2026-10-26 00:00", 25},
		{millrace.Day, "2026-10-25 23:59", "2026-10-25 00:00", "2026-10-26 00:00", 25},
		{millrace.Week, "2026-11-22 23:59", "2026-11-16 00:00", "2026-11-23 00:00", 168},
		{millrace.Month, "2026-10-31 23:59", "2026-10-01 00:00", "2026-11-01 00:00", 31*24 + 1},
		{millrace.Month, "1969-12-31 23:59", "1969-12-01 00:00", "1970-01-01 00:00", 31 * 24},
	} {
		millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
			in, out := s.TimedInput[ping](), s.Output[millrace.Pane[string, int64]]()
			s.Build(func(j *millrace.Job) {
				j.From("in", in).KeyBy(pingKey).Window(millrace.Calendar{Every: c.every, Location: berlin}).Count("n").To("out", out, millrace.Append)
			})
			in.SendAt(local(c.in), ping{Key: "k"})
			in.Watermark(local(c.end).Add(-1))
			out.Want()
			in.Watermark(local(c.end))
			got := out.Take()
			if len(got) != 1 {
				t.Fatalf("%s: %d panes, want 1", c.in, len(got))
			}
			if p := got[0].Value; !p.Start.Equal(local(c.start)) || !p.End.Equal(local(c.end)) || p.End.Sub(p.Start).Hours() != c.hours {
				t.Errorf("%s: window %v to %v, want %s to %s, %v hours", c.in, p.Start, p.End, c.start, c.end, c.hours)
			}
		})
	}
}
