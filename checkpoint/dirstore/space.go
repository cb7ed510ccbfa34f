package dirstore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/millrace-io/millrace/checkpoint"
)

// CheckSpace refuses a file that would leave less than Config.FreeBytesMin. What another writes meanwhile can still fill the disk: then
// the write fails, the file is removed, and the epoch is not complete.
func (s *Store) CheckSpace(bytes int64) error {
	if s.guard.FreeBytesMin < 0 {
		return nil
	}
	free, err := s.guard.Free(s.path)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("free disk space of state directory %q: %w", s.path, err)
	}
	if want := s.guard.FreeBytesMin + bytes; free < want {
		return fmt.Errorf("state directory %q: %w: %d KiB are free, want %d for the file and %d as a reserve; free space on its disk",
			s.path, checkpoint.ErrNoSpace, free>>10, bytes>>10, s.guard.FreeBytesMin>>10)
	}
	return nil
}

// noSpace says that the system refused to write for lack of space.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
