package filesink

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// disk is the directory: each method is one system call, or what may be taken for one. Tests crash between any two of them.
type disk interface {
	// create makes a file that is not there.
	create(name string) (file, error)
	// open opens a regular file for reading.
	open(name string) (io.ReadCloser, int64, error)
	// link gives a file a second name, and never replaces one.
	link(old, name string) error
	remove(name string) error
	// names lists what begins with prefix.
	names(prefix string) ([]string, error)
	// sync makes the names durable.
	sync() error
	close() error
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

const (
	fileMode = 0o644
	dirMode  = 0o755
)

// directory is a disk that cannot be left, by a symbolic link or otherwise.
type directory struct {
	root *os.Root
	self *os.File
}

func openDirectory(path string) (disk, error) {
	if err := makeDirectory(path); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close() //nolint:errcheck // only read
		return nil, err
	}
	return &directory{root, self}, nil
}

// makeDirectory makes path and what is above it durable.
func makeDirectory(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%q is not a directory", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(path))
	if err := makeDirectory(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	parent, err := os.Open(above)
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

func (d *directory) create(name string) (file, error) {
	return d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
}

func (d *directory) open(name string) (io.ReadCloser, int64, error) {
	// A named pipe would be waited for: look before it is opened.
	if info, err := d.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		if err == nil {
			err = fmt.Errorf("%q is not a regular file", name)
		}
		return nil, 0, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (d *directory) link(old, name string) error { return d.root.Link(old, name) }

func (d *directory) remove(name string) error { return d.root.Remove(name) }

func (d *directory) names(prefix string) ([]string, error) {
	found, err := fs.ReadDir(d.root.FS(), ".")
	var names []string
	for _, f := range found {
		if strings.HasPrefix(f.Name(), prefix) {
			names = append(names, f.Name())
		}
	}
	return names, err
}

func (d *directory) sync() error { return d.self.Sync() }

func (d *directory) close() error { return errors.Join(d.self.Close(), d.root.Close()) }
