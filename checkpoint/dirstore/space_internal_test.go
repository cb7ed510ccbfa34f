package dirstore

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
)

func TestSpaceIsLeftToOthers(t *testing.T) {
	free := int64(100 << 20)
	var broken error
	measure := func(string) (int64, error) { return free, broken }
	s, err := OpenConfig(Config{Dir: t.TempDir(), FreeBytesMin: 10 << 20, Free: measure})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CheckSpace(90 << 20); err != nil {
		t.Errorf("a file that fits: %v", err)
	}
	if err := s.CheckSpace(90<<20 + 1); !errors.Is(err, checkpoint.ErrNoSpace) || !strings.Contains(err.Error(), s.path) {
		t.Errorf("a file that does not: %v", err)
	}
	free = 0
	if err := s.Create(t.Context(), "slot-1", write); err != nil {
		t.Errorf("a slot, below the reserve: %v", err)
	}
	if broken = syscall.EIO; !errors.Is(s.CheckSpace(1), syscall.EIO) {
		t.Errorf("a disk that does not answer: %v", s.CheckSpace(1))
	}
	if broken = errors.ErrUnsupported; s.CheckSpace(1) != nil {
		t.Errorf("a system that cannot tell: %v", s.CheckSpace(1))
	}
	broken, s.guard.FreeBytesMin = nil, -1
	if err := s.CheckSpace(1); err != nil {
		t.Errorf("without a reserve: %v", err)
	}
}

func TestFreeSpaceIsMeasured(t *testing.T) {
	s, err := OpenConfig(Config{Dir: t.TempDir(), FreeBytesMin: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CheckSpace(0); !errors.Is(err, checkpoint.ErrNoSpace) {
		t.Errorf("an exbibyte is free: %v", err)
	}
}
