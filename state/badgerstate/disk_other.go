//go:build !linux && !darwin && !freebsd

package badgerstate

import (
	"errors"
	"os"
)

var errUnsupported = errors.New("disk-backed state needs Linux, macOS or FreeBSD; keep the state in memory")

// freeBytes refuses: a full disk would kill the process.
func freeBytes(string) (int64, error) { return 0, errUnsupported }

// lock refuses: without a lock two processes could delete each other's files.
func lock(*os.File) error { return errUnsupported }
