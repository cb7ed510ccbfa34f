package dirstore

import (
	"errors"

	"github.com/millrace-io/millrace/checkpoint"
)

// Store is a checkpoint.Store in a directory.
type Store struct{ checkpoint.Store }

// Open locks the directory, making it when it is not there. A second Open, of any process, is ErrLocked.
func Open(dir string) (*Store, error) { return nil, errors.ErrUnsupported }

// Close unlocks the directory.
func (s *Store) Close() error { return nil }
