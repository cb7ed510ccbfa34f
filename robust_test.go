package millrace_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// again sets a timer in the past each time it fires; another timer of another key is due as well.
func again(fired map[string]int) func(*millrace.Setup[string, string]) millrace.Handler[string, string, string] {
	return func(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
		var timer *millrace.Timer[string, string]
		timer = s.Timer("again", func(c *millrace.Context[string, string], at time.Time) error {
			fired[c.Key()]++
			if c.Key() == "endless" {
				timer.Set(at.Add(-time.Nanosecond))
				if n := len(timer.All()); n != 1 {
					return errors.New("a timer that was just set is not listed")
				}
				timer.Set(at)
				timer.Delete(at)
			}
			return nil
		})
		return func(c *millrace.Context[string, string], v string) error {
			timer.Set(c.Now())
			c.Emit(v)
			return nil
		}
	}
}

// A timer that sets itself in the past over and over keeps nobody else waiting: other keys' timers, records, epochs, Stop.
func TestATimerInThePastBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, fired := make(chan string), map[string]int{}
		out := sinks.Collect[string]()
		j := millrace.NewJob("again")
		j.From("words", sources.Channel(in)).KeyBy(itself).Process("again", again(fired)).To("out", out)
		q, err := j.Start(t.Context(), millrace.Config{Parallelism: 1, CheckpointEvery: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		in <- "endless"
		in <- "once"
		for q.Progress().Epoch < 5 {
			<-time.After(10 * time.Millisecond)
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.Values(); !slices.Equal(got, []string{"endless", "once"}) {
			t.Errorf("emitted %q", got)
		}
		if fired["once"] != 1 || fired["endless"] < 10 {
			t.Errorf("fired %v, want one of once and many of endless", fired)
		}
	})
}

// What is counted adds up: a row that a filter turns into a deletion goes out, and is not filtered. The counts can be read when
// the query has ended.
func TestFilteredRowsGoOutAndCountsStay(t *testing.T) {
	var out memory[millrace.Pair[string, int64]]
	j := millrace.NewJob("rows")
	j.From("words", sources.Slice("a", "a", "b")).KeyBy(itself).Count("count", state.Forever).
		Filter("few", func(_ string, n int64) bool { return n < 2 }).To("out", &out, millrace.Update)
	q, err := j.Start(t.Context(), millrace.Config{Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, o := range q.Progress().Operators {
		if o.ID == "count" && o.RecordsIn == 3 && o.RecordsOut == 3 && o.Filtered == 0 && o.StateEntries == 2 {
			return
		}
	}
	t.Fatalf("counts %+v", q.Progress().Operators)
}

func TestErrorsNameTheOperator(t *testing.T) {
	numbers := func(j *millrace.Job) millrace.Stream[string] { return j.From("numbers", sources.Slice("1")) }
	for name, c := range map[string]struct {
		build func(*millrace.Job)
		want  string
	}{
		"panic in a chain": {func(j *millrace.Job) {
			numbers(j).Map("boom", func(string) string { panic("x") }).To("out", sinks.Discard[string]())
		}, "run chain numbers, boom, out, task 0/1: panic: x\n"},
		"sink": {func(j *millrace.Job) {
			numbers(j).To("out", sinks.Each(func(string) error { return errors.New("disk") }))
		}, `run operator "out", task 0/1: write sink: disk`},
		"handler": {func(j *millrace.Job) {
			numbers(j).KeyBy(itself).Process("p", func(*millrace.Setup[string, string]) millrace.Handler[string, string, string] {
				return func(*millrace.Context[string, string], string) error { return errors.New("no") }
			}).To("out", sinks.Discard[string]())
		}, `run operator "p", key "1", task 0/1, key hash `},
		"panic behind a key": {func(j *millrace.Job) {
			numbers(j).KeyBy(itself).Process("p", func(*millrace.Setup[string, string]) millrace.Handler[string, string, string] {
				return func(*millrace.Context[string, string], string) error { panic("x") }
			}).To("out", sinks.Discard[string]())
		}, `run chain p, out, task 0/1, key hash `},
		"poison in a window": {func(j *millrace.Job) {
			at := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
			numbers(j).EventTime("clock", millrace.Watermark{}, func(string) time.Time { return at }).KeyBy(itself).Window(millrace.Tumbling{Size: time.Hour}).
				Aggregate("poisoned", func(int64, string) int64 { panic("x") }, func(a, b int64) int64 { return a + b }).
				Stream("rows", func(p millrace.Pane[string, int64]) int64 { return p.Value }).To("out", sinks.Discard[int64]())
		}, `run chain poisoned, rows, out, task 0/1, key hash `},
		"its event time": {func(j *millrace.Job) {
			at := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
			numbers(j).EventTime("clock", millrace.Watermark{}, func(string) time.Time { return at }).KeyBy(itself).
				Process("p", func(*millrace.Setup[string, string]) millrace.Handler[string, string, string] {
					return func(*millrace.Context[string, string], string) error { return errors.New("no") }
				}).To("out", sinks.Discard[string]())
		}, `, event time 2026-02-03T04:05:06.000000007Z: no`},
	} {
		t.Run(name, func(t *testing.T) {
			j := millrace.NewJob("names")
			c.build(j)
			q, err := j.Start(t.Context(), millrace.Config{Parallelism: 1, RestartsMax: -1})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Await(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hash 0000000000000000") {
				t.Fatalf("error %v, want …%s…", err, c.want)
			}
		})
	}
}

// A source whose records come once is announced.
func TestASourceThatCannotBeReadAgainIsAnnounced(t *testing.T) {
	var log bytes.Buffer
	in := make(chan string)
	close(in)
	j := millrace.NewJob("once")
	j.From("words", sources.Channel(in)).To("out", sinks.Discard[string]())
	j.From("more", sources.Slice("a")).To("more-out", sinks.Discard[string]())
	run(t, j, millrace.Config{Parallelism: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := strings.Count(log.String(), "source cannot be read again"); got != 1 || !strings.Contains(log.String(), "operator=words") {
		t.Fatalf("log %s", log.String())
	}
}
