package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace-io/millrace/checkpoint"
)

var _ checkpoint.Linker = (*Store)(nil)

var errReadOnly = errors.New("a savepoint is never changed")

// MakeSavepoint makes the directory of a new savepoint, which must not be there or be empty. It is not locked: nobody but its maker
// knows of it before it is whole.
func MakeSavepoint(dir string) (*Store, error) {
	s, err := openSavepoint(dir, true)
	if err != nil {
		return nil, err
	}
	names, err := s.names()
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("savepoint directory %q is not empty: it holds %q; name one that is not there", s.path, names[0])
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.dir, err = s.root.Open("."); err != nil {
		return nil, errors.Join(fmt.Errorf("savepoint directory %q: %w", s.path, err), s.Close())
	}
	return s, nil
}

// OpenSavepoint opens the directory of a savepoint to read it. Nothing is ever written there, not even a lock.
func OpenSavepoint(dir string) (*Store, error) {
	s, err := openSavepoint(dir, false)
	if err == nil {
		s.readOnly = true
	}
	return s, err
}

func openSavepoint(dir string, create bool) (*Store, error) {
	path, err := filepath.Abs(dir)
	if err == nil && create {
		err = makeDir(path)
	}
	if err != nil {
		return nil, fmt.Errorf("savepoint directory %q: %w", dir, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("savepoint directory %q: %w", path, err)
	}
	return &Store{path: path, root: root, guard: Config{Dir: path, FreeBytesMin: DefaultFreeBytesMin, Free: freeBytes}}, nil
}

// Discard removes a savepoint that was not finished, with its directory, and closes the store.
func (s *Store) Discard() error {
	names, err := s.names()
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, s.root.Remove(name))
	}
	return errors.Join(append(errs, s.Close(), os.Remove(s.path))...)
}

// Link makes a second name of the other directory's file, where the file system can.
func (s *Store) Link(ctx context.Context, from checkpoint.Store, name string) error {
	other, ok := from.(*Store)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := errors.Join(s.check(ctx, name), s.usable()); err != nil {
		return err
	}
	err := s.do("link", name, func() error { return os.Link(filepath.Join(other.path, name), filepath.Join(s.path, name)) })
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%q in directory %q: %w", name, s.path, checkpoint.ErrExists)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q in state directory %q: %w", name, other.path, checkpoint.ErrNotFound)
	case err != nil: // another file system, or one without links
		return errors.Join(errors.ErrUnsupported, err)
	}
	return nil
}
