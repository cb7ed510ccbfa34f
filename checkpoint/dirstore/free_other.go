//go:build !linux && !darwin && !freebsd

package dirstore

import "errors"

// freeBytes does not know: the first write that does not fit fails.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
