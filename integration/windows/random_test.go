package windows_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
)

// ping is a record of the window tests.
type ping struct {
	Key string
	At  int64 // ms
	N   int
}

func pingKey(p ping) string { return p.Key }

func pingNumber(p ping) int { return p.N }

// windowScript is what happens in a random test: records, and watermarks between them.
type windowScript struct {
	seed    uint64
	windows millrace.Windows
	in      []ping  // At is the event time
	marks   []int64 // before each record: the watermark moves there, ms; 0: it does not
}

const startMS = 946684800000 // the virtual clock begins at 2000-01-01

func randomScript(seed uint64, windows func(r *rand.Rand) millrace.Windows) windowScript {
	r := rand.New(rand.NewPCG(seed, 7))
	s := windowScript{seed: seed, windows: windows(r)}
	mark := int64(startMS)
	now := mark
	for i := range 5 + r.IntN(60) {
		if now += r.Int64N(8); r.IntN(20) == 0 {
			now += r.Int64N(500)
		}
		s.in = append(s.in, ping{string(rune('a' + r.IntN(3))), now - r.Int64N(1+r.Int64N(60)), i})
		if m := now - r.Int64N(40); r.IntN(3) == 0 && m > mark {
			mark = m
			s.marks = append(s.marks, m)
		} else {
			s.marks = append(s.marks, 0)
		}
	}
	return s
}

// intervals are the windows of size that begin every slide and hold at; the ten lines that the operator is compared with.
func intervals(at, size, slide, offset int64) (all [][2]int64) {
	for start := offset - 10*slide; start <= at; start += slide {
		if k := (at - start) / slide; k > size/slide+2 { // far behind
			start += (k - size/slide - 2) * slide
		}
		if start <= at && at < start+size {
			all = append(all, [2]int64{start, start + size})
		}
	}
	return all
}

// expected is what comes out: the numbers in each pane, and how many records are late.
func (s windowScript) expected(size, slide, offset, grace int64) (panes map[string][]int, late int64, uncovered int64) {
	panes, mark := map[string][]int{}, int64(0)
	for i, p := range s.in {
		mark = max(mark, s.marks[i])
		all := intervals(p.At, size, slide, offset)
		open := 0
		for _, w := range all {
			if mark < w[1]+grace {
				open++
				id := fmt.Sprint(p.Key, w)
				panes[id] = append(panes[id], p.N)
			}
		}
		switch {
		case len(all) == 0:
			uncovered++
		case open == 0:
			late++
		}
	}
	for _, ns := range panes {
		slices.Sort(ns)
	}
	return panes, late, uncovered
}

func paneID[V any](p millrace.Pane[string, V]) string {
	return fmt.Sprint(p.Key, [2]int64{p.Start.UnixMilli(), p.End.UnixMilli()})
}

// feed plays the script into in.
func (s windowScript) feed(in *millracetest.TimedInput[ping]) {
	for i, p := range s.in {
		if s.marks[i] != 0 {
			in.Watermark(time.UnixMilli(s.marks[i]))
		}
		in.SendAt(time.UnixMilli(p.At), p)
	}
}

func inOrder(ns []int) []int {
	ns = slices.Clone(ns)
	slices.Sort(ns)
	return ns
}

func TestWindowsAreTheNaiveOnes(t *testing.T) {
	for seed := range invariants.Sized[uint64](150, 5) {
		var size, slide, offset, grace int64
		s := randomScript(seed, func(r *rand.Rand) millrace.Windows {
			size, slide = 1+r.Int64N(100), 1+r.Int64N(30)
			if r.IntN(3) == 0 {
				slide = size
			}
			offset = r.Int64N(200) - 100
			if r.IntN(2) == 0 {
				grace = r.Int64N(40)
			}
			ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
			if size == slide {
				return millrace.Tumbling{Size: ms(size), Offset: ms(offset), Grace: ms(grace)}
			}
			return millrace.Sliding{Size: ms(size), Slide: ms(slide), Offset: ms(offset), Grace: ms(grace)}
		})
		want, late, _ := s.expected(size, slide, offset, grace)
		for _, mode := range []string{"final", "changes", "both"} {
			v := millracetest.RandomVariant(seed)
			millracetest.PlayOne(t, v, func(sc *millracetest.Script) { s.check(t, sc, mode, want, late) })
			if t.Failed() {
				t.Fatalf("seed %d, %s: windows %+v, variant %+v", seed, mode, s.windows, v)
			}
		}
	}
}

func (s windowScript) check(t *testing.T, sc *millracetest.Script, mode string, want map[string][]int, late int64) {
	in := sc.TimedInput[ping]()
	final, changes := sc.Output[millrace.Pane[string, []int]](), sc.Output[millrace.Pane[string, []int]]()
	sc.Build(func(j *millrace.Job) {
		panes := j.From("in", in).KeyBy(pingKey).Window(s.windows).Collect("panes", pingNumber)
		if mode != "changes" {
			panes.To("final", final, millrace.Append)
		}
		if mode != "final" {
			panes.To("changes", changes, millrace.Update)
		}
	})
	s.feed(in)
	sc.End()
	if mode != "changes" {
		got := map[string][]int{}
		for _, r := range final.Records() {
			id := paneID(r.Value)
			if got[id] != nil {
				t.Errorf("pane %s twice", id)
			}
			if !r.Time.Equal(r.Value.End.Add(-1)) || r.Kind != millracetest.Insert {
				t.Errorf("pane %s: time %v, kind %v", id, r.Time, r.Kind)
			}
			got[id] = inOrder(r.Value.Value)
		}
		comparePanes(t, got, want)
	}
	if mode != "final" {
		rows := map[any]millrace.Pane[string, []int]{} // as who reads the changes has them
		for _, r := range changes.Records() {
			if delete(rows, r.Value.Row()); r.Kind != millracetest.Delete {
				rows[r.Value.Row()] = r.Value
			}
		}
		got := map[string][]int{}
		for _, p := range rows {
			got[paneID(p)] = inOrder(p.Value)
		}
		comparePanes(t, got, want)
	}
	if sc.Late() != late {
		t.Errorf("%d late, want %d", sc.Late(), late)
	}
}

func comparePanes(t *testing.T, got, want map[string][]int) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[id], want[id]) {
			t.Errorf("pane %s: got %v, want %v", id, got[id], want[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if want[id] == nil {
			t.Errorf("pane %s: got %v, want none", id, got[id])
		}
	}
}
