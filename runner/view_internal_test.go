package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

type wordCount = millrace.Pair[string, int64]

func openView[T any](t *testing.T, s sinks.Sink[T], attempt flow.Attempt, task int) sinks.Writer[T] {
	t.Helper()
	w, err := s.Open(t.Context(), sinks.Instance{Attempt: attempt, Task: task, Tasks: 2})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func show[T any](t *testing.T, w sinks.Writer[T], records ...flow.Record[T]) {
	t.Helper()
	if err := w.Write(t.Context(), &flow.Batch[T]{Records: records}); err != nil {
		t.Fatal(err)
	}
}

// The few rows a view keeps are the highest of all, whatever the order in which counts grow.
func TestTopIsExactWhileCountsGrow(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	o := &Options{}
	s := o.Top("word", "count", func(s string) string { return s })
	writers := []sinks.Writer[wordCount]{openView(t, s, 1, 0), openView(t, s, 1, 1)}
	counts := map[string]int64{}
	for range 200_000 {
		n := int(random.ExpFloat64() * 300)
		k := fmt.Sprint("word-", n)
		counts[k]++
		show(t, writers[n%2], flow.Record[wordCount]{Value: wordCount{Key: k, Value: counts[k]}})
	}
	var all []wordCount
	for k, n := range counts {
		all = append(all, wordCount{Key: k, Value: n})
	}
	slices.SortFunc(all, func(a, b wordCount) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Key, b.Key))
	})
	got := o.views[0].table(10)
	for i, row := range got.rows {
		if want := number(all[i].Value); row[1] != want { // equal counts may stand in either order at the edge
			t.Fatalf("seed %d: row %d is %v, want %v", seed, i, row, all[i])
		}
	}
	if len(got.rows) != 10 {
		t.Fatalf("%d rows, want 10", len(got.rows))
	}
}

func TestTopForgetsDeletedRowsAndOldAttempts(t *testing.T) {
	o := &Options{}
	s := o.Top("word", "count", func(s string) string { return s })
	w := openView(t, s, 1, 0)
	show(t, w, flow.Record[wordCount]{Value: wordCount{Key: "a", Value: 1}}, flow.Record[wordCount]{Value: wordCount{Key: "b", Value: 2}})
	deletion := &flow.Batch[wordCount]{Records: []flow.Record[wordCount]{{Value: wordCount{Key: "b", Value: 2}}}, Kinds: []flow.Kind{flow.Delete}}
	if err := w.Write(t.Context(), deletion); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.views[0].table(9).rows); got != "[[a 1]]" {
		t.Fatalf("got %s", got)
	}
	openView(t, s, 2, 0)
	if got := fmt.Sprint(o.views[0].table(9).rows); got != "[]" {
		t.Fatalf("after a restart: got %s", got)
	}
}

func TestTopDoesNotAllocate(t *testing.T) {
	o := &Options{}
	w := openView(t, o.Top("word", "count", func(s string) string { return s }), 1, 0)
	b := &flow.Batch[wordCount]{Records: make([]flow.Record[wordCount], 256)}
	n := int64(0)
	round := func() {
		n++
		for i := range b.Records {
			b.Records[i].Value = wordCount{Key: "word"[:1+i%4], Value: n*256 + int64(i)}
		}
		_ = w.Write(t.Context(), b)
	}
	round()
	if allocs := testing.AllocsPerRun(100, round); allocs != 0 {
		t.Fatalf("%v allocations a batch, want 0", allocs)
	}
}

func TestLatestShowsTheNewest(t *testing.T) {
	o := &Options{}
	s := o.Latest([]string{"n"}, func(n int) []string { return []string{fmt.Sprint(n)} })
	writers := []sinks.Writer[int]{openView(t, s, 1, 0), openView(t, s, 1, 1)}
	begun := time.Now().Add(-time.Second).UnixNano()
	for n := range 100 {
		show(t, writers[n%2], flow.Record[int]{TimeNS: begun + int64(n), Value: n})
	}
	got := o.views[0].table(3)
	if len(got.rows) != 3 || got.rows[0][0] != "97" || got.rows[2][0] != "99" || !strings.HasPrefix(got.rows[2][1], "1.") {
		t.Fatalf("got %v, want 97 to 99 with latencies of a second", got.rows)
	}
	h := newHistogram()
	o.views[0].latencies(h)
	if h.TotalCount() != 100 || h.ValueAtQuantile(50) < 990_000 {
		t.Fatalf("%d latencies, median %d µs; want 100 of a second", h.TotalCount(), h.ValueAtQuantile(50))
	}
	o.views[0].latencies(h)
	if h.TotalCount() != 100 {
		t.Fatalf("latencies counted twice")
	}
	select {
	case <-o.views[0].filled():
	default:
		t.Fatal("the first rows were not announced")
	}
}

func aReading() reading {
	o := &Options{}
	s := o.Top("word", "count", func(s string) string { return s })
	w, _ := s.Open(context.Background(), sinks.Instance{Attempt: 1}) // it cannot fail
	b := &flow.Batch[wordCount]{}
	for i, word := range []string{"the", "of\x1b[2J", strings.Repeat("long", 30), "and", "to"} {
		b.Records = append(b.Records, flow.Record[wordCount]{Value: wordCount{Key: word, Value: int64(5000 - i)}})
	}
	_ = w.Write(context.Background(), b)
	return reading{
		name: "wordcount", running: 75 * time.Second, progress: millrace.Progress{Status: millrace.Running, Epoch: 7, Restarts: 1},
		perSecond: 12345, p50: 412 * time.Microsecond, p99: 1900 * time.Microsecond, measured: true, entries: 4012, stateBytes: 400 << 10, views: o.views,
	}
}

func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	screen := &terminal{out: &out, size: func() (int, int, error) { return 52, 9, nil }}
	screen.draw(aReading())
	first := out.String()
	want := strings.ReplaceAll(`wordcount  running  01:15
12,345 records/s   latency p50 412 µs, p99 1.9 ms
epoch 7   restarts 1   state 4,012 entries, 400.0 K…

word                                      count
the                                       5,000
of?[2J                                    4,999
longlonglonglonglonglonglonglonglonglon…  4,998
`, "\n", clearLine+"\n") + clearBelow
	if first != want {
		t.Fatalf("got\n%q\nwant\n%q", first, want)
	}
	out.Reset()
	screen.say("a line of the log")
	if got, want := out.String(), "\x1b[8A\ra line of the log"+clearLine+"\n"+first; got != want {
		t.Fatalf("got\n%q\nwant\n%q", got, want)
	}
	out.Reset()
	screen.size = func() (int, int, error) { return 0, 0, errors.New("no size") }
	screen.draw(aReading())
	if got := out.String(); !strings.HasPrefix(got, "\x1b[8A\rwordcount") || strings.Count(got, "\n") != 10 {
		t.Fatalf("without a size: got %q", got)
	}
	for height := range 10 {
		if n := len(aReading().frame(10, height)); n > max(height-1, 1) {
			t.Errorf("height %d: %d lines", height, n)
		}
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	lines{&out, &out, &out}.draw(aReading())
	want := "wordcount 01:15 running: 12,345 records/s, p50 412 µs, p99 1.9 ms, epoch 7, restarts 1, state 4,012 entries 400.0 KiB; " +
		"the 5,000, of?[2J 4,999, longlonglonglonglonglonglonglonglonglon…, and 4,997, to 4,996\n"
	if out.String() != want {
		t.Fatalf("got\n%q\nwant\n%q", out.String(), want)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1185378: "1,185,378", 12345678: "12,345,678"} {
		if got := number(n); got != want {
			t.Errorf("%d: got %q", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %q", n, got)
		}
	}
	for d, want := range map[time.Duration]string{59 * time.Second: "00:59", time.Hour + 61*time.Second: "1:01:01"} {
		if got := clock(d); got != want {
			t.Errorf("%v: got %q", d, got)
		}
	}
}

func TestErrorIsOneLine(t *testing.T) {
	panicked := &actors.TaskError{Operator: "count", Tasks: 2, Err: &actors.PanicError{Value: "boom", Stack: "goroutine 1\nmain.go:7\n"}}
	err := errors.Join(fmt.Errorf("run: %w", panicked), errors.New("and more"))
	if got, want := oneLine(err), `run: run operator "count", task 0/2: panic: boom (stack below); and more`; got != want {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	var out bytes.Buffer
	printStack(&out, err)
	if out.String() != "goroutine 1\nmain.go:7\n" {
		t.Fatalf("stack %q", out.String())
	}
}

func TestShares(t *testing.T) {
	for total := range int64(20) {
		for n := 1; n < 5; n++ {
			sum := int64(0)
			for i := range n {
				sum += share(total, i, n)
			}
			if sum != total {
				t.Errorf("%d over %d: the parts are %d", total, n, sum)
			}
		}
	}
}

// A row that changed shows its last value; the rows kept are those with the newest event times.
func TestChangedShowsTheNewestRows(t *testing.T) {
	o := &Options{}
	s := o.Changed([]string{"word", "count"}, func(p wordCount) string { return p.Key }, func(p wordCount) []string { return []string{p.Key, number(p.Value)} })
	w := openView(t, s, 1, 0)
	row := func(n, value int64) flow.Record[wordCount] {
		return flow.Record[wordCount]{TimeNS: n, Value: wordCount{Key: fmt.Sprintf("word-%03d", n), Value: value}}
	}
	for n := range int64(3 * changedKeep) {
		show(t, w, row(n, 1), row(n, 2))
	}
	deletion := &flow.Batch[wordCount]{Records: []flow.Record[wordCount]{row(3*changedKeep-2, 2)}, Kinds: []flow.Kind{flow.Delete}}
	if err := w.Write(t.Context(), deletion); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.views[0].table(2).rows); got != "[[word-189 2] [word-191 2]]" {
		t.Fatalf("got %s", got)
	}
	if got := len(o.views[0].table(1000).rows); got < changedKeep-1 || got >= 2*changedKeep {
		t.Fatalf("%d rows kept, want about %d", got, changedKeep)
	}
	h := newHistogram()
	if o.views[0].latencies(h); h.TotalCount() != 0 {
		t.Fatalf("%d latencies of results in event time, want none", h.TotalCount())
	}
}

func TestNewestHasNoLatency(t *testing.T) {
	o := &Options{}
	w := openView(t, o.Newest([]string{"n"}, func(n int) []string { return []string{fmt.Sprint(n)} }), 1, 0)
	for n := range 10 {
		show(t, w, flow.Record[int]{TimeNS: int64(-n), Value: n})
	}
	if got := fmt.Sprint(o.views[0].table(2).columns, o.views[0].table(2).rows); got != "[n] [[1] [0]]" {
		t.Fatalf("got %s", got)
	}
	h := newHistogram()
	if o.views[0].latencies(h); h.TotalCount() != 0 {
		t.Fatalf("%d latencies, want none", h.TotalCount())
	}
}
