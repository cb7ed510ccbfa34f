package dirstore_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
)

func content(w io.Writer) error { _, err := io.WriteString(w, "content"); return err }

func TestASavepointDirectoryIsNewAndThenReadOnly(t *testing.T) {
	state, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if err := state.Create(t.Context(), "run-1", content); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := dirstore.MakeSavepoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Link(t.Context(), state, "run-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Link(t.Context(), state, "run-1"); !errors.Is(err, checkpoint.ErrExists) {
		t.Errorf("linked twice: %v", err)
	}
	if err := s.Link(t.Context(), state, "run-2"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	if err := s.Link(t.Context(), nil, "run-3"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("from another kind of store: %v", err)
	}
	if err := errors.Join(s.Create(t.Context(), "savepoint", content), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.MakeSavepoint(dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("made twice: %v", err)
	}

	if s, err = dirstore.OpenSavepoint(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, err := range map[string]error{
		"create":  s.Create(t.Context(), "x", content),
		"replace": s.Replace(t.Context(), "x", nil, []byte("x")),
		"delete":  s.Delete(t.Context(), "run-1"),
		"link":    s.Link(t.Context(), state, "run-1"),
	} {
		if err == nil || !strings.Contains(err.Error(), "never changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if names, err := s.List(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("it holds %q, %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock was written: %v", err)
	}
}

func TestASavepointThatWasNotFinishedIsDiscarded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "savepoint")
	s, err := dirstore.MakeSavepoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Create(t.Context(), "run-1", content), s.Discard()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := dirstore.OpenSavepoint(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened: %v", err)
	}
}
