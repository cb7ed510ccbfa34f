package joins_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
)

// An as-of join gives each record the newest version that is not after it, once the watermark has passed the record.
func TestAsOf(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return l.AsOf("as of", r, func(l, r mark, has bool) joined { return checked(l, true, r, has) })
		})
		x.left.SendAt(at(9), mark{"a", 1})
		x.right.SendAt(at(20), mark{"a", 12})
		x.right.SendAt(at(10), mark{"a", 11}) // out of order
		x.left.SendAt(at(20), mark{"a", 4})
		x.left.SendAt(at(19), mark{"a", 3})
		x.left.SendAt(at(10), mark{"a", 2})
		x.watermark(10)
		x.out.WantInOrder(joined{"a", 1, 0}) // there was no version
		x.right.SendAt(at(10), mark{"a", 13})
		x.watermark(20)
		x.out.WantRecords(result(10, "a", 2, 13), result(19, "a", 3, 13)) // of one time the last that came
		x.watermark(30)
		x.out.WantRecords(result(20, "a", 4, 12))
		x.right.SendAt(at(25), mark{"a", 14}) // late
		x.left.SendAt(at(1000), mark{"a", 5})
		x.left.SendAt(at(1000), mark{"b", 6})
		s.End()
		x.out.WantRecords(result(1000, "a", 5, 12), result(1000, "b", 6, 0))
		if n := s.Late(); n != 1 {
			t.Errorf("%d late, want 1", n)
		}
	})
}

// Against the rule, at random: of the versions that came in time the newest that is not after the record.
func TestAsOfAgainstTheRule(t *testing.T) {
	for seed := range invariants.Sized[uint64](30, 4) {
		millracetest.PlayOne(t, millracetest.RandomVariant(seed), func(s *millracetest.Script) {
			random := rand.New(rand.NewPCG(seed, 8))
			x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
				return l.AsOf("as of", r, func(l, r mark, has bool) joined { return checked(l, true, r, has) })
			})
			var lefts, rights []sent
			wm, front := -1000, 0
			for i := range 80 {
				front += random.IntN(2)
				m, when := mark{string(rune('a' + random.IntN(3))), i + 1}, front-random.IntN(6)
				switch random.IntN(5) {
				case 0:
					wm = max(wm, front-random.IntN(6))
					x.watermark(float64(wm))
				case 1, 2:
					x.right.SendAt(at(float64(when)), m)
					if when >= wm {
						rights = append(rights, sent{mark: m, at: at(float64(when))})
					}
				default:
					x.left.SendAt(at(float64(when)), m)
					if when >= wm {
						lefts = append(lefts, sent{mark: m, at: at(float64(when))})
					}
				}
			}
			s.End()
			var want []millracetest.Record[joined]
			for _, l := range lefts {
				best := sent{}
				for _, r := range rights {
					if r.Key == l.Key && !r.at.After(l.at) && !r.at.Before(best.at) {
						best = r
					}
				}
				want = append(want, millracetest.Record[joined]{Time: l.at, Value: joined{l.Key, l.Name, best.Name}})
			}
			if x.out.WantRecords(want...); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// Of versions that the watermark has passed the newest of each key stays.
func TestAsOfStateIsBounded(t *testing.T) {
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return l.AsOf("as of", r, func(l, r mark, has bool) joined { return checked(l, true, r, has) })
		})
		for i := range 300 {
			x.left.SendAt(at(float64(i)), mark{fmt.Sprint(i % 7), i})
			x.right.SendAt(at(float64(i)), mark{fmt.Sprint(i % 5), i})
			x.watermark(float64(i))
			if n := s.Entries("as of"); n > 12 {
				t.Fatalf("%d entries after %d records of each side", n, i+1)
			}
		}
		s.End()
	})
}
