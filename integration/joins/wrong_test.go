package joins_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

type marks = millrace.Keyed[string, mark]

// wrongUse is a topology that cannot be.
type wrongUse struct {
	build func(l, r marks) millrace.Stream[joined]
	bare  bool // without watermarks
	want  []string
}

var second = millrace.Within{After: time.Second}

func pair(l, r mark) joined { return pairOf(l, r) }

var wrongUses = map[string]wrongUse{
	"no function": {build: func(l, r marks) millrace.Stream[joined] { return l.Join[mark, joined]("join", r, second, nil) }, want: []string{"func is nil"}},
	"no time": {
		build: func(l, r marks) millrace.Stream[joined] {
			return l.Join("join", r, millrace.Within{Before: time.Second, After: -time.Minute}, pair)
		}, want: []string{"Within{Before: 1s, After: -1m0s} holds no time"},
	},
	"a stream of another job": {
		build: func(l, _ marks) millrace.Stream[joined] {
			other := millrace.NewJob("other").From("in", sources.Slice[mark]()).KeyBy(mark.key)
			return l.Join("join", other, second, pair)
		}, want: []string{"a stream of another job"},
	},
	"no watermark": {bare: true, build: func(l, r marks) millrace.Stream[joined] { return l.Join("join", r, second, pair) }, want: []string{"no watermark", "EventTime"}},
	"no watermark for as-of": {
		bare: true, build: func(l, r marks) millrace.Stream[joined] {
			return l.AsOf("join", r, func(l, r mark, _ bool) joined { return pairOf(l, r) })
		}, want: []string{"no watermark", "EventTime"},
	},
	"no watermark for dedup": {bare: true, build: func(l, _ marks) millrace.Stream[joined] { return l.Dedup("join").Map("as result", ofLeft) }, want: []string{"no watermark", "EventTime"}},
	"dedup within nothing":   {build: func(l, _ marks) millrace.Stream[joined] { return l.DedupWithin("join", 0).Map("as result", ofLeft) }, want: []string{"within 0s"}},
	"a negative time to live": {
		build: func(l, r marks) millrace.Stream[joined] { return l.JoinAll("join", r, -time.Second, pair) }, want: []string{"time to live is -1s"},
	},
	"a negative time to live of dedup": {
		build: func(l, _ marks) millrace.Stream[joined] {
			return l.DedupTTL("join", -time.Second).Map("as result", ofLeft)
		}, want: []string{"time to live is -1s"},
	},
	"no handler": {
		build: func(l, r marks) millrace.Stream[joined] {
			return l.Process2("join", r, func(*millrace.Setup[string, joined]) (millrace.Handler[string, mark, joined], millrace.Handler[string, mark, joined]) {
				return nil, nil
			})
		}, want: []string{"no handler"},
	},
	"a side output it does not have": {
		build: func(l, r marks) millrace.Stream[joined] {
			j := l.Join("join", r, second, pair)
			j.Side(millrace.NewTag[mark]("later")).To("later", sinks.Discard[mark]())
			return j
		}, want: []string{`no side output "later"`, "late-left, late-right"},
	},
	"a side output of another type": {
		build: func(l, r marks) millrace.Stream[joined] {
			j := l.Join("join", r, second, pair)
			j.Side(millrace.NewTag[string](millrace.LateLeft)).To("late", sinks.Discard[string]())
			return j
		}, want: []string{`side output "late-left"`, "mark"},
	},
	"late records where none is late": {
		build: func(l, r marks) millrace.Stream[joined] {
			j := l.JoinAll("join", r, time.Second, pair)
			j.Side(millrace.NewTag[mark](millrace.LateLeft)).To("late", sinks.Discard[mark]())
			return j
		}, want: []string{"no side outputs"},
	},
}

// Wrong use is one clear error at start, before any record flows.
func TestWrongUse(t *testing.T) {
	for name, c := range wrongUses {
		t.Run(name, func(t *testing.T) {
			j := millrace.NewJob("wrong")
			read := func(id string) marks {
				s := j.From(id, sources.Slice(mark{"a", 1}))
				if !c.bare {
					s = s.ProcessingTime(id + " time")
				}
				return s.KeyBy(mark.key)
			}
			c.build(read("left"), read("right")).To("out", sinks.Discard[joined]())
			_, err := j.Start(t.Context(), millrace.Config{StateDir: t.TempDir()})
			for _, want := range append(c.want, `"join"`) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %s", err, want)
				}
			}
		})
	}
}
