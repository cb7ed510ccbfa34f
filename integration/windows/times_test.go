package windows_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// dated is a record with any time.
type dated struct {
	Seconds float64 // since the Unix epoch; NaN: none
	At      time.Time
}

// atOf reads a number that may be none: there is no time for NaN, so it is the zero time.
func atOf(d dated) time.Time {
	switch {
	case !d.At.IsZero():
		return d.At
	case math.IsNaN(d.Seconds):
		return time.Time{}
	}
	return time.Unix(0, int64(d.Seconds*1e9))
}

func everything(dated) string { return "all" }

// extremes are times at and beyond the ends of what can be said, oldest first.
var extremes = []dated{
	{At: time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC)},
	{At: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)},
	{Seconds: -3600.5},
	{Seconds: -0.000000001},
	{Seconds: 0},
	{At: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)},
	{At: time.Date(2262, 4, 11, 23, 0, 0, 0, time.UTC)},
	{At: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
}

// Times at the ends neither wrap around nor get lost: each record is in the panes that cover it, in whatever windows, and with a delay
// and a grace that would take the watermark beyond the ends.
func TestWindowsOfExtremeTimes(t *testing.T) {
	const delay, grace = 300 * 24 * time.Hour, 400 * 24 * time.Hour
	for name, c := range map[string]struct {
		w    millrace.Windows
		each int64 // panes of a record
	}{
		"tumbling": {millrace.Tumbling{Size: time.Hour, Offset: -time.Minute, Grace: grace}, 1},
		"sliding":  {millrace.Sliding{Size: 2 * time.Hour, Slide: time.Hour}, 2},
		"session":  {millrace.Session{Gap: time.Minute, Grace: grace}, 1},
		"day":      {millrace.Calendar{Every: millrace.Day}, 1},
		"month":    {millrace.Calendar{Every: millrace.Month, Grace: grace}, 1},
		"global":   {millrace.Global{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			millracetest.Play(t, func(s *millracetest.Script) {
				in, out := s.Input[dated](), s.Output[millrace.Pane[string, int64]]()
				s.Build(func(j *millrace.Job) {
					j.From("in", in).EventTime("clock", millrace.Watermark{Delay: delay, DropUndated: true}, atOf).
						KeyBy(everything).Window(c.w).Count("n").Stream("panes", func(p millrace.Pane[string, int64]) millrace.Pane[string, int64] { return p }).
						To("out", out)
				})
				in.Send(extremes...)
				in.Send(dated{Seconds: math.NaN()})
				s.End()
				var sum int64
				for _, p := range out.Values() {
					if sum += p.Value; name != "global" && !p.Start.Before(p.End) {
						s.T().Errorf("pane [%v, %v) has no length", p.Start, p.End)
					}
				}
				if want := c.each * int64(len(extremes)); sum != want || s.Late() != 1 {
					s.T().Errorf("%d records in panes, %d late; want %d, and the one without a time\n%v", sum, s.Late(), want, out.Values())
				}
			})
		})
	}
}

// NaN among the values of a pane is not lost: it makes the aggregate NaN.
func TestAggregatesOfNaN(t *testing.T) {
	type w = millrace.Windowed[string, dated]
	seconds := func(d dated) float64 { return d.Seconds }
	for name, of := range map[string]func(w) millrace.Panes[string, float64]{
		"sum": func(w w) millrace.Panes[string, float64] { return w.Sum("n", seconds) },
		"min": func(w w) millrace.Panes[string, float64] { return w.Min("n", seconds) },
		"max": func(w w) millrace.Panes[string, float64] { return w.Max("n", seconds) },
		"avg": func(w w) millrace.Panes[string, float64] { return w.Avg("n", seconds) },
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			got := millracetest.Run(t, func(s millrace.Stream[dated]) millrace.Stream[float64] {
				return of(s.EventTime("clock", millrace.Watermark{}, func(d dated) time.Time { return d.At }).KeyBy(everything).
					Window(millrace.Sliding{Size: 2 * time.Hour, Slide: time.Hour})).Stream("values", func(p millrace.Pane[string, float64]) float64 { return p.Value })
			}, dated{1, at}, dated{math.NaN(), at.Add(time.Minute)}, dated{2, at.Add(2 * time.Minute)}, dated{3, at.Add(2 * time.Hour)})
			numbers := slices.DeleteFunc(slices.Clone(got), math.IsNaN)
			if len(got) != 4 || !slices.Equal(numbers, []float64{3, 3}) {
				t.Errorf("got %v, want NaN twice and 3 twice", got)
			}
		})
	}
}
