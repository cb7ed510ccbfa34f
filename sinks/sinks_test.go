package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

func value(i int) string { return fmt.Sprintf("v%d", i) }

func TestDiscardConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New:   func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) { return sinks.Discard[string](), nil },
		Value: value,
	})
}

func TestCollectConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			c := sinks.Collect[string]()
			return c, func(*testing.T) []string { return c.Values() }
		},
		Value: value,
	})
}

func TestFuncConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			var got []string
			return sinks.Func(func(_ context.Context, b *flow.Batch[string]) error {
				for _, r := range b.Records {
					got = append(got, r.Value)
				}
				return nil
			}), func(*testing.T) []string { return got }
		},
		Value: value,
	})
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			var got []string
			return sinks.Each(func(v string) error { got = append(got, v); return nil }), func(*testing.T) []string { return got }
		},
		Value: value,
	})
}

func TestConsoleConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			out := &bytes.Buffer{}
			return sinks.Console[string](sinks.ConsoleConfig{Writer: out}, nil), func(*testing.T) []string { return strings.Fields(out.String()) }
		},
		Value: value,
	})
}

func TestTextFileConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(t *testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			path := filepath.Join(t.TempDir(), "out.txt")
			return sinks.TextFile(path, quoted), func(t *testing.T) []string { return fileLines(t, path) }
		},
		Value:    value,
		Finishes: true,
	})
}

func quoted(dst []byte, v string) []byte { return append(append(dst, '='), v...) }

// fileLines reads what quoted wrote.
func fileLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var vs []string
	for line := range strings.Lines(string(text)) {
		vs = append(vs, strings.TrimSuffix(strings.TrimPrefix(line, "="), "\n"))
	}
	return vs
}

func batch(kinds []flow.Kind, vs ...string) *flow.Batch[string] {
	b := &flow.Batch[string]{Kinds: kinds}
	for i, v := range vs {
		b.Records = append(b.Records, flow.Record[string]{TimeNS: int64(i), Value: v})
	}
	return b
}

var changes = []flow.Kind{flow.Insert, flow.UpdateBefore, flow.UpdateAfter, flow.Delete}

func TestKindsAreKeptOrRefused(t *testing.T) {
	open := func(s sinks.Sink[string]) sinks.Writer[string] {
		w, err := s.Open(t.Context(), sinktest.At(0, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	c := sinks.Collect[string]()
	if err := open(c).Write(t.Context(), batch(changes, "a", "a", "b", "b")); err != nil {
		t.Fatal(err)
	}
	want := []sinks.Row[string]{{flow.Insert, 0, "a"}, {flow.UpdateBefore, 1, "a"}, {flow.UpdateAfter, 2, "b"}, {flow.Delete, 3, "b"}}
	if got := c.Rows(); !slices.Equal(got, want) {
		t.Errorf("collected %v, want %v", got, want)
	}
	var out bytes.Buffer
	if err := open(sinks.Console[string](sinks.ConsoleConfig{Writer: &out}, nil)).Write(t.Context(), batch(changes, "a", "a", "b", "b")); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a\nupdate-before a\nupdate-after b\ndelete b\n" {
		t.Errorf("console shows %q", got)
	}
	file := open(sinks.TextFile(filepath.Join(t.TempDir(), "f"), quoted))
	defer file.Close()
	for name, w := range map[string]sinks.Writer[string]{"each": open(sinks.Each(func(string) error { return nil })), "text file": file} {
		if err := w.Write(t.Context(), batch(changes, "a", "a", "b", "b")); err == nil || !strings.Contains(err.Error(), "update-before") {
			t.Errorf("%s: got %v, want a refusal of update-before", name, err)
		}
	}
}

func TestErrorsOfFunctionsAreReturned(t *testing.T) {
	mine := errors.New("mine")
	w, _ := sinks.Each(func(string) error { return mine }).Open(t.Context(), sinktest.At(0, 1, 1))
	if err := w.Write(t.Context(), batch(nil, "a")); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	for want, s := range map[string]any{
		"function is nil": sinks.Func[string](nil),
		"sink: function":  sinks.Each[string](nil),
		"no path":         sinks.TextFile[string]("", nil),
		"no such file":    sinks.TextFile[string]("/no/such/dir/file", nil),
		"is a directory":  sinks.TextFile[string]("/", nil),
	} {
		if err := s.(sinks.Checker).Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestCollectorIsReadWhileWritten is for the race detector.
func TestCollectorIsReadWhileWritten(t *testing.T) {
	c := sinks.Collect[string]()
	var wg sync.WaitGroup
	for task := range 3 {
		wg.Go(func() {
			w, _ := c.Open(context.Background(), sinktest.At(task, 3, 1))
			for range 200 {
				_ = w.Write(context.Background(), batch(nil, "a", "b"))
			}
		})
	}
	for c.Len() < 100 {
		_, _ = c.Rows(), c.Values()
	}
	wg.Wait()
	if c.Len() != 1200 {
		t.Errorf("%d records", c.Len())
	}
}

// TestTextFileOverCrashes leaves what crashes leave: a torn line, a published file whose hidden name is still there, and
// a file of another lineage.
func TestTextFileOverCrashes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	sink := sinks.TextFile(path, quoted)
	write := func(at sinks.Instance, finish, crash bool, vs ...string) {
		w, err := sink.Open(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(t.Context(), batch(nil, vs...)), w.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		if finish {
			if err := w.(sinks.Finisher).Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !crash {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(what string, vs ...string) {
		t.Helper()
		if got := fileLines(t, path); !slices.Equal(got, vs) {
			t.Errorf("%s: got %q, want %q", what, got, vs)
		}
	}
	at := sinktest.At(0, 1, 1)
	write(at, false, true, "a", "b")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("seen before the end of the input")
	}
	part := filepath.Join(dir, ".out.lineage.part")
	torn, err := os.OpenFile(part, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = torn.WriteString("=" + strings.Repeat("torn", 3000))
	torn.Close()
	write(at, true, true, "c")
	expect("published", "a", "b", "c")
	write(at, true, false, "d") // the process died before the job had ended, and writes since the last epoch again
	expect("published again", "a", "b", "c", "d")
	at.Lineage = "../other"
	write(at, true, false, "e")
	expect("of another lineage", "e")
	if left, _ := filepath.Glob(filepath.Join(dir, ".*.part*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTextFileOfSeveralTasks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	sink := sinks.TextFile(path, quoted)
	for task := range 2 {
		w, err := sink.Open(t.Context(), sinktest.At(task, 2, 1))
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(w.Write(t.Context(), batch(nil, value(task))), w.Flush(t.Context()), w.(sinks.Finisher).Finish(t.Context()), w.Close())
		if err != nil {
			t.Fatal(err)
		}
	}
	for task := range 2 {
		if got := fileLines(t, fmt.Sprintf("%s.%d", path, task)); !slices.Equal(got, []string{value(task)}) {
			t.Errorf("task %d: got %q", task, got)
		}
	}
}
