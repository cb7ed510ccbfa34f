package filesink

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/millrace-io/millrace/internal/fault"
)

// shelf is the directory as the place where files are published.
type shelf struct {
	cfg  Config
	disk disk
}

// publish gives files that are closed and synced their final names, each once, whoever tried before.
//
// The order is what makes it safe: link, which never replaces; sync, or a power cut could keep the removals and lose the links;
// and only then the removal of the hidden names. A crash in between leaves a hidden name too many, which Recover removes.
func (s shelf) publish(files []entry) error {
	if len(files) == 0 {
		return nil
	}
	fault.Point("files/publish")
	for _, f := range files {
		if err := s.link(f); err != nil {
			return err
		}
		fault.Point("files/linked")
	}
	if err := s.disk.sync(); err != nil {
		return err
	}
	fault.Point("files/links-synced")
	for _, f := range files {
		if err := s.disk.remove(f.hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fault.Point("files/hidden-removed")
	}
	return nil
}

// link gives a file its final name, or finds that it has it.
func (s shelf) link(f entry) error {
	err := s.disk.link(f.hidden, f.final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.absent(f)
	case errors.Is(err, fs.ErrExist):
		_, err = s.published(f)
	}
	return err
}

// absent is an error unless a file without a hidden name has its final one: the hidden one is only removed once that is durable.
func (s shelf) absent(f entry) error {
	there, err := s.published(f)
	if err != nil || there || s.cfg.ReadersRemove {
		return err
	}
	return fmt.Errorf("file %q is gone, and so is %q, from which it would be published: %w; put it back, set Config.Dir to where it is, or, if readers have removed it, set Config.ReadersRemove",
		f.final, f.hidden, fs.ErrNotExist)
}

// published says whether a file has its final name. Something else under that name is an error.
func (s shelf) published(f entry) (bool, error) {
	in, size, err := s.disk.open(f.final)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		defer in.Close()
		err = f.same(f.final, in, size)
	}
	if err != nil {
		return false, fmt.Errorf("cannot publish %q, as what is there is not the output of this job: %w; move it away and restart", f.final, err)
	}
	return true, nil
}

// same is an error when a file is not what f says.
func (f entry) same(name string, in io.Reader, size int64) error {
	if size != f.size {
		return fmt.Errorf("file %q has %d bytes, want %d", name, size, f.size)
	}
	return f.copied(name, in, io.Discard)
}

// copied copies the first bytes of a file, and is an error when they are not those that f says.
func (f entry) copied(name string, from io.Reader, to io.Writer) error {
	sum := sha256.New()
	if n, err := io.CopyN(io.MultiWriter(to, sum), from, f.size); errors.Is(err, io.EOF) {
		return fmt.Errorf("file %q has %d bytes, want at least %d: it was cut after it was synced", name, n, f.size)
	} else if err != nil {
		return err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != f.hash {
		return fmt.Errorf("file %q is damaged: the hash of its first %d bytes is %x, want %x", name, f.size, sum.Sum(nil), f.hash)
	}
	return nil
}
