//go:build !unix || solaris || illumos || aix

package dirstore

import (
	"errors"
	"os"
)

// lockFile refuses: without a lock two runs could delete each other's files.
func lockFile(*os.Root) (*os.File, error) {
	return nil, errors.New("this system has no flock; use another store")
}
