package joins_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
)

// mark is a record of a join's tests: a key and a name of its own.
type mark struct {
	Key  string
	Name int
}

func (m mark) key() string { return m.Key }

// joined is a result: a name is 0 where the side is absent.
type joined struct {
	Key         string
	Left, Right int
}

func pairOf(l, r mark) joined { return joined{cmp.Or(l.Key, r.Key), l.Name, r.Name} }

func ofLeft(m mark) joined { return joined{m.Key, m.Name, 0} }

// joins are the kinds that are bounded in time, with what they emit.
var joins = map[string]struct {
	build              func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined]
	pairs, left, right bool // emits pairs, and records alone
	semi               bool // emits left records that match
}{
	"Join": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.Join("join", r, w, pairOf)
		}, pairs: true,
	},
	"LeftJoin": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.LeftJoin("join", r, w, func(l, r mark, has bool) joined { return checked(l, true, r, has) })
		}, pairs: true, left: true,
	},
	"RightJoin": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.RightJoin("join", r, w, func(l mark, has bool, r mark) joined { return checked(l, has, r, true) })
		}, pairs: true, right: true,
	},
	"FullJoin": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.FullJoin("join", r, w, checked)
		}, pairs: true, left: true, right: true,
	},
	"SemiJoin": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.SemiJoin("join", r, w).Map("as result", ofLeft)
		}, semi: true,
	},
	"AntiJoin": {
		build: func(l, r millrace.Keyed[string, mark], w millrace.Within) millrace.Stream[joined] {
			return l.AntiJoin("join", r, w).Map("as result", ofLeft)
		}, left: true,
	},
}

// checked makes a result and notices a side that is there when it should not be.
func checked(l mark, hasLeft bool, r mark, hasRight bool) joined {
	if !hasLeft && l != (mark{}) || !hasRight && r != (mark{}) {
		panic(fmt.Sprintf("absent, but %v, %v", l, r))
	}
	return pairOf(l, r)
}

// at is seconds after the beginning of the tests' event time.
func at(seconds float64) time.Time {
	return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func result(seconds float64, key string, left, right int) millracetest.Record[joined] {
	return millracetest.Record[joined]{Time: at(seconds), Value: joined{key, left, right}}
}

// twoInputs is a script of a topology that reads two streams of marks by key.
type twoInputs struct {
	*millracetest.Script
	left, right *millracetest.TimedInput[mark]
	out         *millracetest.Output[joined]
}

func playTwo(s *millracetest.Script, build func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined]) *twoInputs {
	x := &twoInputs{s, s.TimedInput[mark](), s.TimedInput[mark](), s.Output[joined]()}
	s.Build(func(j *millrace.Job) {
		l, r := j.From("left", x.left), j.From("right", x.right)
		build(l.KeyBy(mark.key), r.KeyBy(mark.key)).To("out", x.out)
	})
	return x
}

func (x *twoInputs) watermark(seconds float64) {
	x.left.Watermark(at(seconds))
	x.right.Watermark(at(seconds))
}

// The bounds are inclusive, equal times meet, and a record alone leaves only when the watermark has passed the last time at which
// one it meets could come.
func TestFullJoinStepByStep(t *testing.T) {
	within := millrace.Within{Before: 2 * time.Second, After: 5 * time.Second}
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			return joins["FullJoin"].build(l, r, within)
		})
		x.left.SendAt(at(10), mark{"a", 1})
		x.right.SendAt(at(8), mark{"a", 11})    // the earliest that meets it
		x.right.SendAt(at(15), mark{"a", 12})   // the latest
		x.right.SendAt(at(7.99), mark{"a", 13}) // too early
		x.right.SendAt(at(15.01), mark{"a", 14})
		x.right.SendAt(at(10), mark{"b", 15}) // another key
		x.out.WantRecords(result(10, "a", 1, 11), result(15, "a", 1, 12))

		x.left.SendAt(at(10), mark{"a", 1}) // a duplicate joins as often
		x.out.WantRecords(result(10, "a", 1, 11), result(15, "a", 1, 12))

		x.watermark(9.99) // right records of 7.99 would have met left ones up to 9.99
		x.out.WantRecords()
		x.watermark(10)
		x.out.WantRecords(result(9.99, "a", 0, 13))
		x.left.SendAt(at(20), mark{"c", 2})
		x.left.Watermark(at(30)) // one side alone proves nothing
		x.out.WantRecords()
		x.right.Watermark(at(12))
		x.out.WantRecords() // right of b, 10, meets left ones up to 12
		x.right.Watermark(at(12.01))
		x.out.WantRecords(result(12, "b", 0, 15))
		x.right.SendAt(at(12), mark{"a", 16}) // late: behind the watermark
		x.out.WantRecords()
		x.right.SendAt(at(25), mark{"c", 17})
		x.out.WantRecords(result(25, "c", 2, 17))
		if n := s.Late(); n != 1 {
			t.Errorf("%d late, want 1", n)
		}
		x.left.SendAt(at(31), mark{"d", 3})
		s.End()
		x.out.WantRecords(result(17.01, "a", 0, 14), result(36, "d", 3, 0))
	})
}

// oracle is what a join bounded in time has to give, by comparing everything with everything.
type oracle struct {
	w              millrace.Within
	pairs, l, r, s bool
	left, right    []sent
	wm             time.Time
	late           int64
}

type sent struct {
	mark
	at   time.Time
	gone bool // emitted alone
	met  bool
}

func (o *oracle) meets(l, r *sent) bool {
	return l.Key == r.Key && !r.at.Before(l.at.Add(-o.w.Before)) && !r.at.After(l.at.Add(o.w.After))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// send gives what must come out when a record has come.
func (o *oracle) send(isLeft bool, m mark, at time.Time) (out []millracetest.Record[joined]) {
	if at.Before(o.wm) {
		o.late++
		return nil
	}
	own, others := &o.right, o.left
	if isLeft {
		own, others = &o.left, o.right
	}
	*own = append(*own, sent{mark: m, at: at})
	me := &(*own)[len(*own)-1]
	for i := range others {
		l, r := &others[i], me
		if isLeft {
			l, r = me, &others[i]
		}
		if !o.meets(l, r) {
			continue
		}
		if o.pairs {
			out = append(out, millracetest.Record[joined]{Time: later(l.at, r.at), Value: pairOf(l.mark, r.mark)})
		}
		if o.s && !l.met {
			out = append(out, millracetest.Record[joined]{Value: ofLeft(l.mark)})
		}
		l.met, r.met = true, true
	}
	return append(out, o.alone()...)
}

// alone gives the records alone that the watermark lets go.
func (o *oracle) alone() (out []millracetest.Record[joined]) {
	go_ := func(rs []sent, bound time.Duration, f func(mark) joined) {
		for i := range rs {
			r := &rs[i]
			if until := r.at.Add(bound); !r.met && !r.gone && until.Before(o.wm) {
				r.gone = true
				out = append(out, millracetest.Record[joined]{Time: later(until, r.at), Value: f(r.mark)})
			}
		}
	}
	if o.l {
		go_(o.left, o.w.After, ofLeft)
	}
	if o.r {
		go_(o.right, o.w.Before, func(m mark) joined { return joined{m.Key, 0, m.Name} })
	}
	return out
}

// Every kind of join gives, after every action, what comparing all records with all gives: with disorder, late records,
// duplicates, watermarks of either side, crashes, restores and rescaling.
func TestJoinsAgainstTheOracle(t *testing.T) {
	withins := []millrace.Within{
		{},
		{After: 4 * time.Second},
		{Before: 3 * time.Second},
		{Before: 2 * time.Second, After: 5 * time.Second},
		{Before: -time.Second, After: 4 * time.Second},
		{Before: 6 * time.Second, After: -2 * time.Second},
	}
	for name, kind := range joins {
		t.Run(name, func(t *testing.T) {
			for seed := range invariants.Sized[uint64](12, 3) {
				v := millracetest.RandomVariant(seed)
				millracetest.PlayOne(t, v, func(s *millracetest.Script) {
					random := rand.New(rand.NewPCG(seed, 7))
					w := withins[random.IntN(len(withins))]
					o := &oracle{w: w, pairs: kind.pairs, l: kind.left, r: kind.right, s: kind.semi, wm: at(-1e6)}
					x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] { return kind.build(l, r, w) })
					wms := [2]float64{-1e6, -1e6}
					front := 0.0
					for i := range 60 {
						front += random.Float64()
						side := random.IntN(2)
						in := []*millracetest.TimedInput[mark]{x.left, x.right}[side]
						if random.IntN(4) == 0 {
							wms[side] = max(wms[side], float64(int(front-5*random.Float64())))
							in.Watermark(at(wms[side]))
							o.wm = at(min(wms[0], wms[1]))
							x.out.WantRecords(o.alone()...)
						} else {
							m := mark{string(rune('a' + random.IntN(3))), i/2 + 1}
							when := at(float64(int(front - 6*random.Float64())))
							in.SendAt(when, m)
							x.out.WantRecords(o.send(side == 0, m, when)...)
						}
						if t.Failed() {
							t.Fatalf("seed %d, variant %+v, within %+v, action %d", seed, v, w, i)
						}
					}
					if got := s.Late(); got != o.late {
						t.Errorf("seed %d: %d late, want %d", seed, got, o.late)
					}
					o.wm = at(1e6)
					s.End()
					x.out.WantRecords(o.alone()...)
				})
			}
		})
	}
}

// State is dropped behind the watermark, on both sides.
func TestJoinStateIsBounded(t *testing.T) {
	for name, kind := range joins {
		t.Run(name, func(t *testing.T) {
			millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
				x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
					return kind.build(l, r, millrace.Within{Before: time.Second, After: 2 * time.Second})
				})
				for i := range 300 {
					x.left.SendAt(at(float64(i)), mark{fmt.Sprint(i % 7), i})
					x.right.SendAt(at(float64(i)), mark{fmt.Sprint(i % 5), i})
					x.watermark(float64(i))
					if n := s.Entries("join"); n > 12 {
						t.Fatalf("%d entries after %d records of each side", n, i+1)
					}
				}
				s.End()
			})
		})
	}
}

// Late records of either side leave by the side output of its name, and are not counted when it is read.
func TestLateRecordsOfAJoinLeaveByASideOutput(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		late := s.Output[mark]()
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			j := l.Join("join", r, millrace.Within{}, pairOf)
			j.Side(millrace.NewTag[mark](millrace.LateLeft)).To("late", late)
			return j
		})
		x.watermark(10)
		x.left.SendAt(at(9), mark{"a", 1})
		x.right.SendAt(at(9), mark{"a", 2})
		x.left.SendAt(at(10), mark{"a", 3})
		x.right.SendAt(at(10), mark{"a", 4})
		x.out.WantRecords(result(10, "a", 3, 4))
		late.WantRecords(millracetest.Record[mark]{Time: at(9), Value: mark{"a", 1}})
		if n := s.Late(); n != 1 {
			t.Errorf("%d late, want the one whose side output nobody reads", n)
		}
		s.End()
	})
}

// A stream may be joined with itself, and the result of a join is on time for what follows.
func TestJoinsInARow(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		x := playTwo(s, func(l, r millrace.Keyed[string, mark]) millrace.Stream[joined] {
			w := millrace.Within{Before: time.Second, After: 3 * time.Second}
			first := l.FullJoin("first", r, w, checked)
			byKey := first.KeyBy(func(j joined) string { return j.Key })
			return byKey.Join("second", byKey, millrace.Within{}, func(a, b joined) joined { return joined{a.Key, a.Left, b.Right} })
		})
		var want []joined
		for i := range 20 {
			when := at(float64(i * 2))
			if i%3 > 0 {
				x.left.SendAt(when, mark{"a", i + 1})
			}
			if i%4 == 0 {
				x.right.SendAt(when.Add(5*time.Second), mark{"b", i + 1})
				want = append(want, joined{"b", 0, i + 1})
			}
			if i%3 > 0 {
				want = append(want, joined{"a", i + 1, 0})
			}
			x.watermark(float64(i*2) - 3)
		}
		s.End()
		x.out.Want(want...)
		if n := s.Late(); n > 0 {
			t.Errorf("%d results of the first join were late for the second", n)
		}
	})
}

// A side whose source is at its end does not hold the records alone back once it is idle; one that only lags does.
func TestOuterJoinWithAnIdleSide(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		type event struct {
			Mark mark
			At   time.Time
		}
		left, right, out := s.Input[event](), s.Input[event](), s.Output[joined]()
		s.Build(func(j *millrace.Job) {
			read := func(id string, in *millracetest.Input[event]) millrace.Keyed[string, event] {
				return j.From(id, in).EventTime(id+" time", millrace.Watermark{Idle: time.Minute}, func(e event) time.Time { return e.At }).
					KeyBy(func(e event) string { return e.Mark.Key })
			}
			read("left", left).LeftJoin("join", read("right", right), millrace.Within{After: time.Second}, func(l, r event, has bool) joined {
				return checked(l.Mark, true, r.Mark, has)
			}).To("out", out)
		})
		left.Send(event{mark{"a", 1}, at(1)}, event{mark{"a", 2}, at(10)})
		s.Advance(time.Minute - 1)
		out.Want()           // nothing is known of the right side
		s.Advance(time.Hour) // a restore begins the silence anew
		out.Want(joined{"a", 1, 0})
		left.Send(event{mark{"a", 3}, at(11)}, event{mark{"a", 4}, at(20)})
		s.Advance(time.Hour)
		out.Want(joined{"a", 2, 0}, joined{"a", 3, 0})
		right.Send(event{mark{"a", 11}, at(20)})
		out.Want(joined{"a", 4, 11})
		s.End()
	})
}
