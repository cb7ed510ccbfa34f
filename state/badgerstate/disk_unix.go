//go:build linux || darwin || freebsd

package badgerstate

import (
	"errors"
	"os"
	"syscall"
)

// freeBytes is what a user without privileges can still write on the file system that holds dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return int64(s.Bavail) * int64(s.Bsize), err //nolint:unconvert // the types differ between systems
}

// lock takes the lock of a file until it is closed; errInUse when another holds it.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errInUse
	}
	return err
}
