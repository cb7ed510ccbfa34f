package dirstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
)

func open(t testing.TB, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func read(t *testing.T, s *dirstore.Store, name string) string {
	t.Helper()
	o, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCreateIsOnce(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a", text("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "a", text("two")); !errors.Is(err, checkpoint.ErrExists) {
		t.Fatalf("second create: %v", err)
	}
	if got := read(t, s, "a"); got != "one" {
		t.Fatalf("content is %q", got)
	}
	names, err := s.List(t.Context())
	if err != nil || !slices.Equal(names, []string{"a"}) {
		t.Fatalf("list %q, %v", names, err)
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := errors.New("half way")
	err := s.Create(t.Context(), "a", func(w io.Writer) error { _, err := io.WriteString(w, "x"); return errors.Join(err, want) })
	if !errors.Is(err, want) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Create(ctx, "b", func(w io.Writer) error { cancel(); _, err := io.WriteString(w, "x"); return err })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 1 {
		t.Fatalf("left %q, %v; want the lock alone", files, err)
	}
}

func TestReplaceComparesFirst(t *testing.T) {
	s := open(t, t.TempDir())
	steps := []struct {
		old, data string
		ok        bool
	}{{"x", "a", false}, {"", "a", true}, {"", "b", false}, {"x", "b", false}, {"a", "b", true}}
	for i, step := range steps {
		var old []byte
		if step.old != "" {
			old = []byte(step.old)
		}
		err := s.Replace(t.Context(), "head", old, []byte(step.data))
		if step.ok && err != nil || !step.ok && !errors.Is(err, checkpoint.ErrExists) {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if got := read(t, s, "head"); got != "b" {
		t.Fatalf("content is %q", got)
	}
}

func TestDeleteAndMissing(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a", text("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "a", "never"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "a"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Fatal(err)
	}
}

func TestSecondRunIsLockedOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	s := open(t, dir)
	_, err := dirstore.Open(dir)
	if !errors.Is(err, checkpoint.ErrLocked) || !strings.Contains(err.Error(), "process ") || !strings.Contains(err.Error(), "stop that run") {
		t.Fatalf("second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	if err := s.Create(t.Context(), "a", text("one")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, filepath.Join(dir, "a"): 0o600, filepath.Join(dir, "lock"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestNamesStayInside(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	s := open(t, state)
	if err := os.Symlink(outside, filepath.Join(state, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../outside", "link", "", ".", "..", "lock", "tmp-1", "a/b", outside} {
		if o, err := s.Open(t.Context(), name); err == nil {
			o.Close()
			t.Errorf("opened %q", name)
		}
		if name == "link" {
			continue
		}
		if err := s.Create(t.Context(), name, text("x")); err == nil {
			t.Errorf("created %q", name)
		}
		if err := s.Delete(t.Context(), name); err == nil {
			t.Errorf("deleted %q", name)
		}
	}
}

func TestOpenRemovesTemporaries(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tmp-7"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "tmp-7")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the temporary is still there: %v", err)
	}
}
