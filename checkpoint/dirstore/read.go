package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/millrace-io/millrace/checkpoint"
)

// Open opens a file for reading.
func (s *Store) Open(ctx context.Context, name string) (checkpoint.Object, error) {
	if err := s.check(ctx, name); err != nil {
		return nil, err
	}
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%q in state directory %q: %w", name, s.path, checkpoint.ErrNotFound)
	}
	if err != nil {
		return nil, s.explain(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no regular file", name)
	}
	if err != nil {
		return nil, s.explain(errors.Join(err, f.Close()))
	}
	return &object{File: f, size: info.Size()}, nil
}

type object struct {
	*os.File
	size int64
}

func (o *object) Size() int64 { return o.size }
