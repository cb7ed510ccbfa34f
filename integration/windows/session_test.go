package windows_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
)

// naiveSession is a session of the reference.
type naiveSession struct {
	key      string
	from, to int64
	ns       []int
}

// sessions is what comes out, and how many records are late.
func (s windowScript) sessions(gap, grace int64) (panes map[string][]int, late int64) {
	var open []naiveSession
	panes, mark := map[string][]int{}, int64(0)
	closeUntil := func(mark int64) {
		open = slices.DeleteFunc(open, func(o naiveSession) bool {
			if done := o.to+grace <= mark; done {
				panes[fmt.Sprint(o.key, [2]int64{o.from, o.to})] = inOrder(o.ns)
			}
			return o.to+grace <= mark
		})
	}
	for i, p := range s.in {
		mark = max(mark, s.marks[i])
		closeUntil(mark)
		one := naiveSession{p.Key, p.At, p.At + gap, []int{p.N}}
		touched := false
		open = slices.DeleteFunc(open, func(o naiveSession) bool {
			if o.key != p.Key || p.At >= o.to || o.from >= p.At+gap {
				return false
			}
			one.from, one.to, one.ns = min(one.from, o.from), max(one.to, o.to), append(one.ns, o.ns...)
			touched = true
			return true
		})
		if !touched && one.to+grace <= mark {
			late++
			continue
		}
		open = append(open, one)
	}
	closeUntil(1 << 62)
	return panes, late
}

func TestSessionsAreTheNaiveOnes(t *testing.T) {
	for seed := range invariants.Sized[uint64](200, 5) {
		var gap, grace int64
		s := randomScript(seed, func(r *rand.Rand) millrace.Windows {
			if gap = 1 + r.Int64N(40); r.IntN(2) == 0 {
				grace = r.Int64N(30)
			}
			return millrace.Session{Gap: time.Duration(gap) * time.Millisecond, Grace: time.Duration(grace) * time.Millisecond}
		})
		want, late := s.sessions(gap, grace)
		for _, mode := range []string{"final", "changes", "both"} {
			v := millracetest.RandomVariant(seed)
			millracetest.PlayOne(t, v, func(sc *millracetest.Script) { s.check(t, sc, mode, want, late) })
			if t.Failed() {
				t.Fatalf("seed %d, %s: windows %+v, variant %+v", seed, mode, s.windows, v)
			}
		}
	}
}

// A record between two sessions makes one of three, and the row of the second is withdrawn.
func TestSessionsMerge(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(startMS + ms).UTC() }
	pane := func(from, to, n int64) millrace.Pane[string, int64] {
		return millrace.Pane[string, int64]{Key: "k", Start: at(from), End: at(to), Value: n}
	}
	type rec = millracetest.Record[millrace.Pane[string, int64]]
	millracetest.Play(t, func(s *millracetest.Script) {
		in, changes, final := s.TimedInput[ping](), s.Output[millrace.Pane[string, int64]](), s.Output[millrace.Pane[string, int64]]()
		s.Build(func(j *millrace.Job) {
			sessions := j.From("in", in).KeyBy(pingKey).Window(millrace.Session{Gap: 10 * time.Millisecond}).Count("sessions")
			sessions.To("changes", changes, millrace.Update)
			sessions.To("final", final, millrace.Append)
		})
		in.SendAt(at(100), ping{Key: "k"})
		changes.WantRecords(rec{Value: pane(100, 110, 1), Time: at(110).Add(-1)})
		in.SendAt(at(110), ping{Key: "k"}) // a gap behind: a session of its own
		changes.WantRecords(rec{Value: pane(110, 120, 1)})
		in.SendAt(at(109), ping{Key: "k"})
		changes.WantRecords(rec{Kind: millracetest.Delete, Value: pane(110, 120, 1)}, rec{Value: pane(100, 120, 3)})
		in.SendAt(at(95), ping{Key: "k"}) // it begins earlier: another row
		changes.WantRecords(rec{Kind: millracetest.Delete, Value: pane(100, 120, 3)}, rec{Value: pane(95, 120, 4)})
		final.Want()
		in.Watermark(at(119))
		final.Want()
		in.Watermark(at(120))
		final.Want(pane(95, 120, 4))
		changes.Want()
		in.SendAt(at(109), ping{Key: "k"}) // of no open session, and its own would have ended
		if s.Late() != 1 {
			t.Errorf("%d late, want 1", s.Late())
		}
		in.SendAt(at(111), ping{Key: "k"})
		changes.WantRecords(rec{Value: pane(111, 121, 1)})
	})
}
