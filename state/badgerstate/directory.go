package badgerstate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	markName  = "millrace-working-store" // marks a directory as ours to wipe, and is its lock
	filesName = "files"                  // Badger's files
)

var errInUse = errors.New("another working store uses it; give this one a directory of its own")

// directory is a claimed directory.
type directory struct {
	path string
	mark *os.File // locked
}

// claim makes path the directory of this store alone, and empty. It wipes nothing but earlier working stores.
func claim(path string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if err := mayWipe(path); err != nil {
		return nil, err
	}
	mark, err := os.OpenFile(filepath.Join(path, markName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	d := &directory{path, mark}
	if err := d.lock(); err != nil {
		return nil, errors.Join(fmt.Errorf("directory %q: %w", path, err), mark.Close())
	}
	if err := os.RemoveAll(filepath.Join(path, filesName)); err != nil {
		return nil, errors.Join(fmt.Errorf("wipe: %w", err), mark.Close())
	}
	return d, nil
}

// mayWipe refuses a directory that holds other things than a working store.
func mayWipe(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != markName && name != filesName {
			return fmt.Errorf("directory %q holds %q, which is no part of a working store and would be wiped; give the store a directory of its own", path, name)
		}
	}
	if len(entries) == 1 && entries[0].Name() == filesName {
		return fmt.Errorf("directory %q holds %q but no %q, so it may not be a working store; remove it or name another", path, filesName, markName)
	}
	return nil
}

// lock locks the mark, and makes sure that it is still the one that others will find: the last holder removes it.
func (d *directory) lock() error {
	if err := lock(d.mark); err != nil {
		return err
	}
	found, err := os.Stat(d.mark.Name())
	if errors.Is(err, os.ErrNotExist) {
		return errInUse
	}
	if err != nil {
		return err
	}
	if held, err := d.mark.Stat(); err != nil || !os.SameFile(found, held) {
		return errors.Join(err, errInUse)
	}
	return nil
}

// remove deletes the directory; the mark goes last, so that a removal cut short can be repeated by claim.
func (d *directory) remove() error {
	err := os.RemoveAll(filepath.Join(d.path, filesName))
	if err == nil {
		err = os.RemoveAll(d.path)
	}
	return errors.Join(err, d.mark.Close())
}
