package sortedfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner/sortedfile"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

func word(w string) string { return w }

func countOf(w string, n int64) string { return strings.Repeat(w, int(n)) }

func appendWord(dst []byte, w string) ([]byte, int) { return append(dst, w...), len(w) }

// restarted is a job over five words with the counts in a sorted file and what add adds, run until it ends.
func restarted(t *testing.T, dir string, add func(millrace.Stream[string], millrace.Table[string, int64])) {
	t.Helper()
	j := millrace.NewJob("restarted")
	in := j.From("words", sources.Slice("b", "a", "b", "c", "b"))
	counts := in.KeyBy(word).Count("count", state.Forever)
	counts.Final("sorted-rows", countOf).To("sorted", sortedfile.New(sortedfile.Config{Path: filepath.Join(dir, "sorted")}, sortedfile.RowFunc[string](appendWord)))
	add(in, counts)
	q, err := j.Start(t.Context(), millrace.Config{StateDir: filepath.Join(dir, "state"), Parallelism: 2, RestartMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(text)); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), got, want)
	}
}

// What a finished job that is started again does: sinks that write all at the end get all again, the others nothing.
func TestAFinishedJobStartedAgain(t *testing.T) {
	dir := t.TempDir()
	rows := sinks.Collect[string]()
	for range 3 {
		restarted(t, dir, func(in millrace.Stream[string], counts millrace.Table[string, int64]) {
			counts.Final("rows", countOf).To("collected", rows)
			in.KeyBy(word).Count("again", state.Forever).Filter("all", func(string, int64) bool { return true }).Final("latest", countOf).To("collected-too", rows)
			in.Repartition("one", 1).To("lines", sinks.TextFile[string](filepath.Join(dir, "lines"), nil))
		})
		wantFile(t, filepath.Join(dir, "sorted"), "a", "bbb", "c")
		got := rows.Values()
		if slices.Sort(got); !slices.Equal(got, []string{"a", "a", "bbb", "bbb", "c", "c"}) {
			t.Errorf("collected %q, want each row once of each table", got)
		}
		wantFile(t, filepath.Join(dir, "lines"), "b", "a", "b", "c", "b")
	}
}

// stumbling is a sink whose Finish fails the first time: the last epoch, with the rows, was complete before.
type stumbling struct {
	sinks.Sink[string]
	failed *atomic.Bool
}

type stumblingWriter struct {
	sinks.Writer[string]
	failed *atomic.Bool
}

func (s stumbling) Open(ctx context.Context, at sinks.Instance) (sinks.Writer[string], error) {
	w, err := s.Sink.Open(ctx, at)
	return stumblingWriter{w, s.failed}, err
}

func (w stumblingWriter) Finish(context.Context) error {
	if w.failed.CompareAndSwap(false, true) { // of two tasks
		return errors.New("no room, says the test")
	}
	return nil
}

// Between the last epoch and the end of Finish an attempt may fail: the file must have all rows, another sink none twice.
func TestRestartBetweenTheLastEpochAndFinish(t *testing.T) {
	dir, rows := t.TempDir(), sinks.Collect[string]()
	var failed atomic.Bool
	restarted(t, dir, func(_ millrace.Stream[string], counts millrace.Table[string, int64]) {
		counts.Final("rows", countOf).To("collected", stumbling{rows, &failed})
	})
	wantFile(t, filepath.Join(dir, "sorted"), "a", "bbb", "c")
	got := rows.Values()
	if slices.Sort(got); !failed.Load() || !slices.Equal(got, []string{"a", "bbb", "c"}) {
		t.Errorf("failed: %v, collected %q, want each row once", failed.Load(), got)
	}
}

func TestWhatASinkThatRewritesMayRead(t *testing.T) {
	file := sortedfile.New(sortedfile.Config{Path: filepath.Join(t.TempDir(), "sorted")}, sortedfile.RowFunc[string](appendWord))
	j := millrace.NewJob("wrong")
	in := j.From("words", sources.Slice("a"))
	in.Map("same", word).To("stream", file)
	last := in.KeyBy(word).Count("count", state.Forever).Final("rows", countOf)
	last.Map("upper", strings.ToUpper).To("sorted", file)
	last.To("collected", sinks.Collect[string]())
	_, err := j.Start(t.Context(), millrace.Config{})
	for _, want := range []string{`"stream"`, `"words"`, `"collected"`, "Final of its own"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %s", err, want)
		}
	}
}
