package joins_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

// seen is a record of dedup's tests: when and what, as S6 has it, and a name to tell records apart.
type seen struct {
	At   int64 // seconds
	What string
	Name int
}

type seenKey struct {
	At   int64
	What string
}

func (s seen) exact() seenKey { return seenKey{s.At, s.What} }
func (s seen) what() string   { return s.What }

func playDedup(s *millracetest.Script, build func(millrace.Stream[seen]) millrace.Stream[seen]) (*millracetest.TimedInput[seen], *millracetest.Output[seen]) {
	in, out := s.TimedInput[seen](), s.Output[seen]()
	s.Build(func(j *millrace.Job) { build(j.From("in", in)).To("out", out) })
	return in, out
}

func TestDedup(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		late := s.Output[seen]()
		in, out := playDedup(s, func(in millrace.Stream[seen]) millrace.Stream[seen] {
			unique := in.KeyBy(seen.exact).Dedup("unique")
			unique.Side(millrace.NewTag[seen](millrace.Late)).To("late", late)
			return unique
		})
		send := func(v seen) { in.SendAt(at(float64(v.At)), v) }
		send(seen{10, "a", 1})
		send(seen{10, "a", 2})
		send(seen{10, "b", 3})
		send(seen{11, "a", 4})
		out.Want(seen{10, "a", 1}, seen{10, "b", 3}, seen{11, "a", 4})
		in.Watermark(at(10)) // a record of 10 is still on time, and known
		send(seen{10, "a", 5})
		send(seen{10, "c", 6})
		out.Want(seen{10, "c", 6})
		in.Watermark(at(10.5))
		send(seen{10, "a", 7}) // late, and not new
		send(seen{10, "d", 8})
		out.Want()
		late.Want(seen{10, "a", 7}, seen{10, "d", 8})
		send(seen{11, "a", 9})
		out.Want()
		if d := s.Dropped(); d.Filtered != 3 || d.Late != 0 {
			t.Errorf("%+v, want 3 filtered and no late that were dropped", d)
		}
		s.End()
		out.Want()
	})
}

// A key that does not contain the event time would be new again behind the watermark: it fails the job and says so.
func TestDedupByAKeyWithoutTime(t *testing.T) {
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		in, _ := playDedup(s, func(in millrace.Stream[seen]) millrace.Stream[seen] { return in.KeyBy(seen.what).Dedup("unique") })
		in.SendAt(at(1), seen{1, "a", 1})
		err := s.Failure(func() { in.SendAt(at(2), seen{2, "a", 2}) })
		for _, want := range []string{`"unique"`, `key "a"`, "12:00:01", "12:00:02", "DedupWithin"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not say %s", err, want)
			}
		}
	})
}

func TestDedupWithin(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := playDedup(s, func(in millrace.Stream[seen]) millrace.Stream[seen] {
			return in.KeyBy(seen.what).DedupWithin("unique", 10*time.Second)
		})
		send := func(v seen) { in.SendAt(at(float64(v.At)), v) }
		send(seen{5, "a", 1})
		send(seen{100, "a", 2}) // the watermark has not come to 15
		send(seen{4, "a", 3})   // older than the first that came
		out.Want(seen{5, "a", 1})
		in.Watermark(at(14.9))
		send(seen{15, "a", 4})
		send(seen{14, "a", 5}) // late
		out.Want()
		in.Watermark(at(15)) // forgotten
		send(seen{15, "a", 6})
		out.Want(seen{15, "a", 6})
		send(seen{24, "a", 7})
		out.Want()
		if d := s.Dropped(); d.Filtered != 4 || d.Late != 1 {
			t.Errorf("%+v, want 4 filtered, 1 late", d)
		}
		s.End()
	})
}

func TestDedupTTL(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := playDedup(s, func(in millrace.Stream[seen]) millrace.Stream[seen] {
			return in.KeyBy(seen.what).DedupTTL("unique", time.Minute).
				KeyBy(seen.what).DedupTTL("ever", state.Forever)
		})
		in.Send(seen{1, "a", 1}, seen{1, "a", 2})
		out.Want(seen{1, "a", 1})
		s.Advance(time.Minute - 1)
		in.Send(seen{1, "a", 3}) // which does not renew it
		s.Advance(1)
		if d := s.Dropped(); d.Filtered != 2 {
			t.Errorf("%d filtered, want 2", d.Filtered)
		}
		in.Send(seen{1, "a", 4}) // passes the first, and the second knows it
		in.Send(seen{1, "b", 5})
		out.Want(seen{1, "b", 5})
		if d := s.Dropped(); d.Filtered != 3 {
			t.Errorf("%d filtered, want 3", d.Filtered)
		}
		s.End()
	})
}

// At random: of the records on time, the first of each key, whatever happens; with times at both ends of what there is.
func TestDedupAgainstTheRule(t *testing.T) {
	for seed := range invariants.Sized[uint64](30, 4) {
		v := millracetest.RandomVariant(seed)
		millracetest.PlayOne(t, v, func(s *millracetest.Script) {
			random := rand.New(rand.NewPCG(seed, 9))
			within := time.Duration(1+random.IntN(6)) * time.Second
			byWhat := random.IntN(2) == 0
			in, out := playDedup(s, func(in millrace.Stream[seen]) millrace.Stream[seen] {
				if byWhat {
					return in.KeyBy(seen.what).DedupWithin("unique", within)
				}
				return in.KeyBy(seen.exact).Dedup("unique")
			})
			until := map[any]int64{} // key to the watermark that forgets it
			wm, front, late := int64(-1000), int64(0), int64(0)
			for i := range 100 {
				front += random.Int64N(2)
				if random.IntN(5) == 0 {
					wm = max(wm, front-random.Int64N(4))
					in.Watermark(at(float64(wm)))
					continue
				}
				r := seen{front - random.Int64N(6), string(rune('a' + random.IntN(3))), i}
				in.SendAt(at(float64(r.At)), r)
				key, end := any(r.exact()), r.At+1
				if byWhat {
					key, end = r.What, r.At+int64(within/time.Second)
				}
				known, ok := until[key]
				switch {
				case r.At < wm:
					late++
					out.Want()
				case ok && known > wm:
					out.Want()
				default:
					until[key] = end
					out.Want(r)
				}
				if t.Failed() {
					t.Fatalf("seed %d, variant %+v, action %d", seed, v, i)
				}
			}
			if n := s.Late(); n != late {
				t.Errorf("seed %d: %d late, want %d", seed, n, late)
			}
			s.End()
		})
	}
}

// The state of both kinds on event time follows the watermark, also when a few records are far ahead of all others.
func TestDedupStateIsBounded(t *testing.T) {
	for name, build := range map[string]func(millrace.Stream[seen]) millrace.Stream[seen]{
		"plain": func(in millrace.Stream[seen]) millrace.Stream[seen] { return in.KeyBy(seen.exact).Dedup("unique") },
		"within": func(in millrace.Stream[seen]) millrace.Stream[seen] {
			return in.KeyBy(seen.exact).DedupWithin("unique", 5*time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
				in, out := playDedup(s, build)
				in.SendAt(at(1e8), seen{1e8, "far", 0})
				for i := range int64(400) {
					in.SendAt(at(float64(i)), seen{i, "a", 1}, seen{i, "a", 2})
					in.Watermark(at(float64(i)))
					if n := s.Entries("unique"); n > 10 {
						t.Fatalf("%d entries after %d records", n, 2*i)
					}
				}
				if n := len(out.Values()); n != 401 {
					t.Errorf("%d passed, want 401", n)
				}
				s.End()
			})
		})
	}
}

// Times that do not fit nanoseconds are kept at the ends of what does, and still are told apart from late.
func TestDedupAtTheEndsOfTime(t *testing.T) {
	times := []time.Time{
		time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	type dated struct{ At time.Time }
	got := millracetest.Run(t, func(in millrace.Stream[dated]) millrace.Stream[dated] {
		w := millrace.Watermark{Delay: 1 << 62}
		return in.EventTime("clock", w, func(d dated) time.Time { return d.At }).KeyBy(func(d dated) string { return fmt.Sprint(d.At.Unix()) }).
			DedupWithin("unique", 1<<62)
	}, dated{times[0]}, dated{times[1]}, dated{times[2]}, dated{times[3]}, dated{times[0]}, dated{times[3]})
	var years []int
	for _, d := range got {
		years = append(years, d.At.Year())
	}
	slices.Sort(years)
	if want := []int{-5, 1, 1960, 9999}; !slices.Equal(years, want) {
		t.Errorf("years %v passed, want %v", years, want)
	}
}
