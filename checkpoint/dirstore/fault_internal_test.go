package dirstore

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/checkpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func faulty(t *testing.T, op string, fault error) (*Store, map[string]int) {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	calls := map[string]int{}
	s.step = func(o, name string) error {
		calls[o+" "+name]++
		if o == op && fault != nil {
			return fault
		}
		return nil
	}
	return s, calls
}

func write(w io.Writer) error { _, err := io.WriteString(w, "content"); return err }

func TestDiskErrorsSayWhatToDo(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "link"} {
		for fault, want := range map[error]string{syscall.ENOSPC: "free space", syscall.EIO: "check its disk"} {
			s, calls := faulty(t, op, fault)
			err := s.Create(t.Context(), "a", write)
			if !errors.Is(err, fault) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %v and %q", op, err, fault, want)
			}
			for call, n := range calls {
				if strings.HasPrefix(call, "sync ") && n > 1 {
					t.Errorf("%s: %q was tried %d times", op, call, n)
				}
			}
			if names, err := s.names(); err != nil || len(names) != 1 {
				t.Errorf("%s: left %q, %v", op, names, err)
			}
			s.step = nil
			if err := s.Create(t.Context(), "a", write); err != nil { // the disk has space again
				t.Errorf("%s: and later: %v", op, err)
			}
		}
	}
}

func TestRefusedDirectorySyncIsFinal(t *testing.T) {
	s, _ := faulty(t, "syncdir", syscall.EIO)
	if err := s.Create(t.Context(), "a", write); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	s.step = nil
	for _, err := range []error{s.Create(t.Context(), "b", write), s.Replace(t.Context(), "head", nil, nil)} {
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "accepts no writes") {
			t.Errorf("after a directory sync that was refused: %v", err)
		}
	}
	if _, err := s.Open(t.Context(), "b"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("it was written all the same: %v", err)
	}
}
