package millrace_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// splits is a source whose splits give what the test sends them, a batch each; a closed channel is the end of its split.
// Positions count the batches taken.
type splits map[string]chan handed

type handed struct {
	visits []visit
	atEnd  bool
}

func (s splits) Splits(_ context.Context, known []string) (found []flow.Split, err error) {
	for id := range s {
		if !slices.Contains(known, id) {
			found = append(found, flow.Split{ID: id, Start: make(flow.Position, 8)})
		}
	}
	return found, nil
}

func (s splits) Open(_ context.Context, at flow.Split, from flow.Position) (sources.Reader[visit], error) {
	return &splitReader{s[at.ID], binary.BigEndian.Uint64(from)}, nil
}

type splitReader struct {
	c chan handed
	n uint64
}

func (r *splitReader) Read(ctx context.Context, b *sources.Batch[visit]) error {
	select {
	case h, ok := <-r.c:
		for _, v := range h.visits {
			b.Records = append(b.Records, flow.Record[visit]{TimeNS: v.At, Value: v})
		}
		r.n++
		b.Next, b.AtEnd = binary.BigEndian.AppendUint64(b.Next[:0], r.n), h.atEnd
		if !ok {
			return io.EOF
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *splitReader) Close() error { return nil }

func give(c chan handed, user string, at ...int64) {
	h := handed{}
	for _, t := range at {
		h.visits = append(h.visits, visit{user, t})
	}
	c <- h
	synctest.Wait()
}

// alarm sets a timer for each visit and says which of them fired, and which visits came late.
func alarm(s *millrace.Setup[string, string]) millrace.Handler[string, visit, string] {
	timer := s.EventTimer("alarm", func(c *millrace.Context[string, string], at time.Time) error {
		c.Emit(fmt.Sprint(c.Key(), at.Unix()))
		return nil
	})
	return func(c *millrace.Context[string, string], v visit) error {
		if c.Late() {
			c.Emit(fmt.Sprint(c.Key(), v.At, " late"))
			return nil
		}
		timer.Set(v.when())
		return nil
	}
}

// watermarks runs alarm over splits; step gives it visits and says what must have come out by then.
type watermarks struct {
	t     *testing.T
	query *millrace.Query
	out   *sinks.Collector[string]
	seen  int
}

func alarms(t *testing.T, s splits, dir string, w millrace.Watermark, parallelism int) *watermarks {
	out := sinks.Collect[string]()
	j := millrace.NewJob("alarms")
	j.From("visits", s).EventTime("clock", w, visit.when).KeyBy(visit.who).Process("alarm", alarm).To("out", out)
	q, err := j.Start(t.Context(), millrace.Config{
		StateDir: dir, CheckpointEvery: time.Hour, Operators: map[string]millrace.OperatorConfig{"visits": {Parallelism: 1}, "alarm": {Parallelism: parallelism}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &watermarks{t: t, query: q, out: out}
}

func (w *watermarks) want(when string, rows ...string) {
	w.t.Helper()
	synctest.Wait()
	got := w.out.Values()[w.seen:]
	w.seen += len(got)
	slices.Sort(got)
	slices.Sort(rows)
	if !slices.Equal(got, rows) {
		w.t.Fatalf("%s: got %q, want %q", when, got, rows)
	}
}

func (w *watermarks) stop() {
	if err := w.query.Stop(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// Three splits in one task, one ahead, one lagging, one empty: the watermark is the earliest of those that are not idle, and
// only a split whose reader knows that it is at its end is ever idle. A restart does not move it back.
func TestWatermarkOfThreeSplits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := splits{"ahead": make(chan handed), "lagging": make(chan handed), "empty": make(chan handed)}
		w := alarms(t, s, dir, millrace.Watermark{Delay: 5 * time.Second}, 2)
		give(s["ahead"], "a", 8, 50, 100)
		give(s["lagging"], "l", 15)
		w.want("the empty split has promised nothing")
		s["empty"] <- handed{atEnd: true}
		w.want("the empty split is at its end, but not yet idle")
		<-time.After(999 * time.Millisecond)
		w.want("not yet")
		<-time.After(time.Millisecond)
		w.want("idle: the watermark is 10, of the lagging split", "a8")
		<-time.After(time.Hour)
		w.want("a lagging split is never idle, whatever its silence")
		give(s["lagging"], "l", 60)
		w.want("55", "l15", "a50")
		give(s["empty"], "e", 57)
		give(s["lagging"], "l", 200)
		w.want("the empty one holds again, at 52, and did not move the watermark back")
		give(s["empty"], "e", 54)
		w.want("behind 55", "e54 late")
		w.stop()
		w.want("a stop makes nothing due")
	})
	synctest.Test(t, func(t *testing.T) {
		s := splits{"ahead": make(chan handed), "lagging": make(chan handed), "empty": make(chan handed)}
		w := alarms(t, s, dir, millrace.Watermark{Delay: 5 * time.Second}, 3)
		give(s["empty"], "n", 20)
		w.want("55 was restored, at another parallelism", "n20 late")
		for _, c := range s {
			close(c)
		}
		w.want("the final watermark", "a100", "e57", "l200", "l60")
		<-w.query.Done()
	})
}

// With a bound, a split that is ahead waits for the slowest that is neither idle nor ended, and no longer.
func TestAlignmentHoldsTheSplitAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := splits{"fast": make(chan handed, 100), "slow": make(chan handed, 100)}
		w := alarms(t, s, "", millrace.Watermark{AheadMax: 10 * time.Second}, 1)
		give(s["slow"], "s", 5)
		for at := range int64(50) {
			s["fast"] <- handed{visits: []visit{{"f", at + 1}}}
		}
		<-time.After(time.Second)
		synctest.Wait()
		if n := w.query.Progress().Operators[0].RecordsIn; n != 1+16 {
			t.Fatalf("%d records read, want the slow one and 16 of the fast ones: up to 10 s ahead of 5, and the one that showed it", n)
		}
		give(s["slow"], "s", 20)
		<-time.After(time.Second)
		synctest.Wait()
		if n := w.query.Progress().Operators[0].RecordsIn; n != 2+31 {
			t.Fatalf("%d records read, want 2 of the slow split and 31 of the fast one", n)
		}
		s["slow"] <- handed{atEnd: true}
		<-time.After(time.Second)
		synctest.Wait()
		if n := w.query.Progress().Operators[0].RecordsIn; n != 2+50 {
			t.Fatalf("%d records read, want all: an idle split holds nobody", n)
		}
		w.stop()
	})
}
