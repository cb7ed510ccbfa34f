package dirstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/internal/fault"
)

// Create writes a file that appears under its name at once, complete and durable.
func (s *Store) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := errors.Join(s.check(ctx, name), s.usable()); err != nil {
		return err
	}
	temp, err := s.writeTemp(ctx, write)
	if err != nil {
		return err
	}
	fault.Point("dirstore/synced")
	err = s.do("link", name, func() error { return s.root.Link(temp, name) })
	fault.Point("dirstore/linked")
	if removed := s.do("unlink", temp, func() error { return s.root.Remove(temp) }); err == nil && removed != nil {
		err = removed
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%q in state directory %q: %w", name, s.path, checkpoint.ErrExists)
	case err != nil:
		return s.explain(err)
	}
	fault.Point("dirstore/temporary-removed")
	if err := s.syncDir(); err != nil {
		return err
	}
	fault.Point("dirstore/directory-synced")
	return nil
}

// Replace renames a synced temporary over the file. The directory is synced by the next Create,
// but at once for a new name.
func (s *Store) Replace(ctx context.Context, name string, old, data []byte) error {
	if err := errors.Join(s.check(ctx, name), s.usable()); err != nil {
		return err
	}
	s.replacing.Lock()
	defer s.replacing.Unlock()
	now, err := s.root.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.explain(err)
	}
	if exists := err == nil; exists != (old != nil) || !bytes.Equal(now, old) {
		return fmt.Errorf("%q in state directory %q is not as expected: %w", name, s.path, checkpoint.ErrExists)
	}
	temp, err := s.writeTemp(ctx, func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		return err
	}
	fault.Point("dirstore/replacement-synced")
	if err := s.do("rename", name, func() error { return s.root.Rename(temp, name) }); err != nil {
		return s.explain(errors.Join(err, s.root.Remove(temp)))
	}
	fault.Point("dirstore/renamed")
	if old == nil {
		return s.syncDir()
	}
	return nil
}

// writeTemp writes and syncs a temporary. When that does not succeed the file is removed: after a refused sync its pages may
// be gone although a second sync would succeed, so it is never tried again.
func (s *Store) writeTemp(ctx context.Context, write func(io.Writer) error) (temp string, err error) {
	temp = tempPrefix + strconv.FormatUint(s.temps.Add(1), 10)
	var f *os.File
	err = s.do("create", temp, func() error {
		f, err = s.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
		return err
	})
	if err != nil {
		return "", s.explain(err)
	}
	w := &writer{ctx: ctx, s: s, f: f, temp: temp}
	if err = write(w); err == nil {
		fault.Point("dirstore/written")
		err = s.do("sync", temp, f.Sync)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		return temp, nil
	}
	return "", s.explain(errors.Join(err, s.root.Remove(temp)))
}

// writer is the file as the write function of Create sees it: it stops when the context ends.
type writer struct {
	ctx  context.Context
	s    *Store
	f    *os.File
	temp string
}

func (w *writer) Write(p []byte) (n int, err error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	err = w.s.do("write", w.temp, func() error { n, err = w.f.Write(p); return err })
	return n, err
}

// syncDir makes links and renames durable. A refusal is final: a later sync of the same directory could succeed
// without having written what this one lost.
func (s *Store) syncDir() error {
	if err := s.do("syncdir", ".", s.dir.Sync); err != nil {
		err = fmt.Errorf("sync: %w; what was written last may be lost by a power cut: check the disk and restart the job", err)
		s.broken.CompareAndSwap(nil, &err)
		return s.explain(err)
	}
	return nil
}

func (s *Store) usable() error {
	if s.readOnly {
		return errReadOnly
	}
	if err := s.broken.Load(); err != nil {
		return fmt.Errorf("state directory %q accepts no writes since an earlier error: %w", s.path, *err)
	}
	return nil
}
