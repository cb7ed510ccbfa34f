package filesource_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// put makes a file appear by rename, modified sec seconds after some time.
func put(t testing.TB, dir, name, text string, sec int) {
	t.Helper()
	hidden := filepath.Join(dir, ".writing")
	if err := os.WriteFile(hidden, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(t, hidden, sec)
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func touch(t testing.TB, path string, sec int) {
	t.Helper()
	at := time.Unix(1_700_000_000+int64(sec), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path ...string) {
	t.Helper()
	if err := os.Remove(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

func split[T any](t testing.TB, src sources.Source[T]) flow.Split {
	t.Helper()
	found, err := src.Splits(context.Background(), nil)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	return found[0]
}

func open[T any](t testing.TB, src sources.Source[T], from flow.Position) sources.Reader[T] {
	t.Helper()
	r, err := src.Open(context.Background(), split(t, src), from)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// seen is what a reader gave.
type seen[T any] struct {
	values []T
	bad    []flow.DeadLetter
	next   flow.Position
	err    error
}

// readAll reads to the end, an error, or until nothing is there.
func readAll[T any](t testing.TB, r sources.Reader[T]) (s seen[T]) {
	t.Helper()
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for s.err == nil {
		b := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 5)}
		s.err = r.Read(ctx, b)
		if s.err != nil && !errors.Is(s.err, io.EOF) {
			return s
		}
		for _, rec := range b.Records {
			s.values = append(s.values, rec.Value)
		}
		s.bad, s.next = append(s.bad, b.Bad...), slices.Clone(b.Next)
		if b.AtEnd {
			return s
		}
	}
	return s
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
}

func batchOf[T any](n int) []flow.Record[T] { return make([]flow.Record[T], 0, n) }
