package millrace_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

type visit struct {
	User string
	At   int64 // seconds
}

func (v visit) who() string     { return v.User }
func (v visit) when() time.Time { return time.Unix(v.At, 0) }

// quiet says when a user has not been seen for ten seconds of event time, and forgets the user.
func quiet(s *millrace.Setup[string, string]) millrace.Handler[string, visit, string] {
	last := s.Value[int64]("last", state.Forever)
	gone := s.EventTimer("gone", func(c *millrace.Context[string, string], at time.Time) error {
		if seen, ok := last.Get(); !ok || seen+10 != at.Unix() {
			return fmt.Errorf("timer of %d for a user last seen at %d", at.Unix(), seen)
		}
		c.Emit(fmt.Sprintf("%s gone at %d, watermark %t", c.Key(), at.Unix(), !c.Watermark().Before(at)))
		last.Clear()
		return nil
	})
	return func(c *millrace.Context[string, string], v visit) error {
		if seen, ok := last.Get(); ok {
			gone.Delete(time.Unix(seen+10, 0))
		}
		last.Set(v.At)
		gone.Set(time.Unix(v.At+10, 0))
		return nil
	}
}

func TestEventTimersFollowTheWatermark(t *testing.T) {
	j := millrace.NewJob("quiet")
	out := sinks.Collect[string]()
	j.From("visits", sources.Slice(visit{"a", 1}, visit{"b", 2}, visit{"a", 5}, visit{"c", 30}, visit{"c", 31}, visit{"c", 32}, visit{"b", 33})).
		EventTime("clock", millrace.Watermark{}, visit.when).
		KeyBy(visit.who).Process("quiet", quiet).To("out", out)
	q, err := j.Start(context.Background(), millrace.Config{Parallelism: 1, BatchRecords: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []string{"b gone at 12, watermark true", "a gone at 15, watermark true", "c gone at 42, watermark true", "b gone at 43, watermark true"}
	if got := out.Values(); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestEventTimerWithoutWatermarkIsRefused(t *testing.T) {
	j := millrace.NewJob("quiet")
	j.From("visits", sources.Slice[visit]()).KeyBy(visit.who).Process("quiet", quiet).To("out", sinks.Discard[string]())
	_, err := j.Start(context.Background(), millrace.Config{})
	if err == nil || !strings.Contains(err.Error(), `operator "quiet" works on event time`) || !strings.Contains(err.Error(), "EventTime") {
		t.Fatalf("error %v, want one that names the operator and the remedy", err)
	}
}

// standing counts visits per user; a user who comes at a negative time leaves.
func standing(s *millrace.Setup[string, int64]) millrace.Handler[string, visit, int64] {
	n := s.Value[int64]("n", state.Forever)
	s.Initial(func(yield func(string, int64) bool) {
		_ = yield("a", 100) && yield("c", 300)
	}, func(c *millrace.Context[string, int64], v int64) error {
		n.Set(v)
		c.Emit(v)
		return nil
	})
	return func(c *millrace.Context[string, int64], v visit) error {
		if v.At < 0 {
			n.Clear()
			c.Withdraw()
			return nil
		}
		old, _ := n.Get()
		n.Set(old + 1)
		c.Emit(old + 1)
		return nil
	}
}

func TestProcessTableWithInitialStateAndWithdrawal(t *testing.T) {
	dir := t.TempDir()
	// run gives the visits, waits for so many rows and stops the job.
	run := func(records int, in ...visit) []string {
		out := sinks.Collect[millrace.Pair[string, int64]]()
		j := millrace.NewJob("standing")
		j.From("visits", sources.Channel(open(in...))).
			KeyBy(visit.who).ProcessTable("standing", standing).
			To("out", out, millrace.Update)
		q, err := j.Start(context.Background(), millrace.Config{Parallelism: 1, StateDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for out.Len() < records {
			runtime.Gosched()
		}
		if err := q.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range out.Rows() {
			got = append(got, fmt.Sprintf("%s=%d %s", r.Value.Key, r.Value.Value, r.Kind))
		}
		return got
	}
	want := []string{"a=100 insert", "c=300 insert", "a=101 insert", "b=1 insert", "c=300 delete", "c=1 insert", "a=102 insert"}
	if got := run(7, visit{"a", 1}, visit{"b", 1}, visit{"c", -1}, visit{"c", 1}, visit{"d", -1}, visit{"a", 1}); !slices.Equal(got, want) {
		t.Errorf("first run: got %q, want %q", got, want)
	}
	// The initial state was applied once for the lineage.
	want = []string{"c=2 insert", "a=103 insert"}
	if got := run(2, visit{"c", 1}, visit{"a", 1}); !slices.Equal(got, want) {
		t.Errorf("second run: got %q, want %q", got, want)
	}
}

// open is a channel that holds the visits and stays open.
func open(vs ...visit) <-chan visit {
	c := make(chan visit, len(vs))
	for _, v := range vs {
		c <- v
	}
	return c
}
