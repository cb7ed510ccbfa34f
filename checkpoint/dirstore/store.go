package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/millrace-io/millrace/checkpoint"
)

const (
	lockName   = "lock"
	tempPrefix = "tmp-"
	dirMode    = 0o700
	fileMode   = 0o600
)

// Config says where a store is, and what it leaves to others.
type Config struct {
	Dir string
	// FreeBytesMin is the disk space that must be left on the file system of Dir behind each file of state entries that is written; 0:
	// DefaultFreeBytesMin, negative: none. Slots and the head, which are small, may use it: so a restart is possible on a full disk.
	FreeBytesMin int64
	// Free measures what can still be written on the file system of Dir, in bytes; nil asks the system, where that can tell.
	Free func(dir string) (int64, error)
}

// DefaultFreeBytesMin is room for the records of a few ten thousand epochs.
const DefaultFreeBytesMin = 64 << 20

// Store is a checkpoint.Store in a directory. Its methods may be called from several goroutines.
type Store struct {
	path  string
	root  *os.Root // all access goes through it, so no name and no symbolic link leads out of the directory
	dir   *os.File // for syncing the directory
	lock  *os.File
	guard Config
	// readOnly: it is a savepoint that was opened.
	readOnly bool
	temps    atomic.Uint64

	replacing sync.Mutex            // held over the compare and the rename of Replace
	broken    atomic.Pointer[error] // set when syncing the directory was refused: nothing can be promised any more

	// step, when a test sets it before first use, is called before each system call that changes something; its error
	// takes the place of the call.
	step func(op, name string) error
}

var (
	_ checkpoint.Store        = (*Store)(nil)
	_ checkpoint.SpaceChecker = (*Store)(nil)
)

// Open is OpenConfig with nothing but a directory.
func Open(dir string) (*Store, error) { return OpenConfig(Config{Dir: dir}) }

// OpenConfig locks the directory, making it when it is not there, and removes the temporaries of a run that crashed. When
// another run has it open the error is checkpoint.ErrLocked and says which process that is.
func OpenConfig(c Config) (*Store, error) {
	dir := c.Dir
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %q: %w", dir, err)
	}
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("make state directory %q: %w", path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("state directory %q: %w", path, err)
	}
	if c.FreeBytesMin == 0 {
		c.FreeBytesMin = DefaultFreeBytesMin
	}
	if c.Free == nil {
		c.Free = freeBytes
	}
	s := &Store{path: path, root: root, guard: c}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// makeDir makes the directory durably: a parent that forgets it would forget the epochs in it.
func makeDir(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) open() error {
	var err error
	if s.lock, err = lockFile(s.root); err != nil {
		return fmt.Errorf("lock state directory %q: %w", s.path, err)
	}
	if s.dir, err = s.root.Open("."); err != nil {
		return fmt.Errorf("state directory %q: %w", s.path, err)
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			if err := s.root.Remove(name); err != nil {
				return fmt.Errorf("remove temporary: %w", err)
			}
		}
	}
	return nil
}

// Close unlocks the directory. The log that uses the store is closed first.
func (s *Store) Close() error {
	var errs []error
	for _, f := range []*os.File{s.dir, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(append(errs, s.root.Close())...)
}

// List names all objects: every file but the lock and temporaries.
func (s *Store) List(ctx context.Context) ([]string, error) {
	all, err := s.names()
	if err != nil {
		return nil, err
	}
	names := all[:0]
	for _, name := range all {
		if name != lockName && !strings.HasPrefix(name, tempPrefix) {
			names = append(names, name)
		}
	}
	return names, ctx.Err()
}

func (s *Store) names() ([]string, error) {
	d, err := s.root.Open(".") // not s.dir: reading moves its position
	if err != nil {
		return nil, fmt.Errorf("list state directory %q: %w", s.path, err)
	}
	names, err := d.Readdirnames(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, fmt.Errorf("list state directory %q: %w", s.path, err)
	}
	return names, nil
}

// Delete removes the named files; those that are gone already are no error.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	if s.readOnly {
		return errReadOnly
	}
	for _, name := range names {
		if err := s.check(ctx, name); err != nil {
			return err
		}
		if err := s.do("remove", name, func() error { return s.root.Remove(name) }); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state directory %q: %w", s.path, err)
		}
	}
	return nil
}

// check refuses what must not reach the file system.
func (s *Store) check(ctx context.Context, name string) error {
	if name == "" || name == "." || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) ||
		name == lockName || strings.HasPrefix(name, tempPrefix) {
		return fmt.Errorf("object name %q is not a plain file name", name)
	}
	return ctx.Err()
}

// do runs one system call.
func (s *Store) do(op, name string, call func() error) error {
	if s.step != nil {
		if err := s.step(op, name); err != nil {
			return fmt.Errorf("%s %q: %w", op, name, err)
		}
	}
	return call()
}

// explain adds what a person can do about an error of the disk.
func (s *Store) explain(err error) error {
	if noSpace(err) {
		return fmt.Errorf("state directory %q: %w; free space on its disk", s.path, err)
	}
	if errors.Is(err, syscall.EIO) {
		return fmt.Errorf("state directory %q: %w; check its disk", s.path, err)
	}
	return fmt.Errorf("state directory %q: %w", s.path, err)
}
