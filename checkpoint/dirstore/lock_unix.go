//go:build unix && !solaris && !illumos && !aix

package dirstore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/millrace-io/millrace/checkpoint"
)

// holderBytesMax bounds what is shown of the lock file.
const holderBytesMax = 256

// lockFile takes the lock of the directory. The file is never removed: two processes could lock two files of one name.
func lockFile(root *os.Root) (*os.File, error) {
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w by %s; stop that run or give this one another directory", checkpoint.ErrLocked, holder(f))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, sign(f)
}

// sign writes who holds the lock, for the error another run gets. The note promises nothing, so it is not synced.
func sign(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0)
	if noSpace(err) {
		return nil // a full disk must not keep a job from its state
	}
	return err
}

func holder(f *os.File) string {
	b := make([]byte, holderBytesMax)
	n, _ := f.ReadAt(b, 0) // what could not be read is not shown
	if s := strings.TrimSpace(string(b[:n])); s != "" {
		return s
	}
	return "another process"
}
