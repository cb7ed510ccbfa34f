package joins_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

// Without a bound in time records meet for a time to live after they came.
func TestJoinAll(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return l.JoinAll("join", r, time.Minute, pairOf)
		})
		x.left.SendAt(at(100), mark{"a", 1})
		x.right.SendAt(at(5), mark{"a", 11}) // whatever the event times
		x.right.SendAt(at(5), mark{"b", 12})
		x.out.WantRecords(result(100, "a", 1, 11))
		s.Advance(time.Minute - 1)
		x.left.SendAt(at(101), mark{"a", 2})
		x.left.SendAt(at(101), mark{"a", 2})
		x.out.WantRecords(result(101, "a", 2, 11), result(101, "a", 2, 11))
		s.Advance(1)
		x.right.SendAt(at(6), mark{"a", 13}) // 1 is gone
		x.left.SendAt(at(7), mark{"a", 3})   // and 11
		x.out.WantRecords(result(101, "a", 2, 13), result(101, "a", 2, 13), result(7, "a", 3, 13))
		s.Advance(time.Hour)
		x.right.SendAt(at(8), mark{"a", 14})
		x.out.WantRecords()
		s.Advance(time.Hour)
		if n := s.Entries("join"); n > 0 {
			t.Errorf("%d entries when all have expired", n)
		}
		s.End()
	})
}

func TestJoinAllForever(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return l.JoinAll("join", r, state.Forever, pairOf)
		})
		x.left.SendAt(at(1), mark{"a", 1})
		s.Advance(1000 * time.Hour)
		x.right.SendAt(at(0), mark{"a", 2})
		x.out.WantRecords(result(1, "a", 1, 2))
		s.End()
	})
}
