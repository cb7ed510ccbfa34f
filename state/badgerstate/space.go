package badgerstate

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrNoSpace says that the disk has less free space than the working store needs. The store is sound: once there is space,
// writes go on. Reads are not refused.
var ErrNoSpace = errors.New("too little disk space")

// checkBytes is how much is written between two looks at the disk.
const checkBytes = 4 << 20

// space guards the disk: Badger writes through mapped files, and on a full disk that is a SIGBUS, which ends the process.
type space struct {
	dir       string
	need      int64
	free      func(dir string) (int64, error)
	unchecked atomic.Int64 // bytes written since the disk was looked at
}

func newSpace(dir string, need int64, free func(dir string) (int64, error)) *space {
	return &space{dir: dir, need: need, free: free}
}

// take asks for n bytes, before they are written.
func (s *space) take(n int64) error {
	if s.unchecked.Add(n) < checkBytes {
		return nil
	}
	return s.check()
}

// check looks at the disk. After a refusal the next take looks again.
func (s *space) check() error {
	asked := s.unchecked.Load()
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("free disk space of %q: %w", s.dir, err)
	}
	if want := s.need + asked; free < want {
		return fmt.Errorf("%w: the working store needs at least %d MiB free in %q, there are %d MiB; free some or move it to another disk",
			ErrNoSpace, mib(want), s.dir, free>>20)
	}
	s.unchecked.Add(-asked)
	return nil
}

func mib(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
