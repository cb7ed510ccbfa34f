//go:build linux || darwin || freebsd

package dirstore

import "syscall"

// freeBytes is what a user without privileges can still write on the file system that holds dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return int64(s.Bavail) * int64(s.Bsize), err //nolint:unconvert // the types differ between systems
}
