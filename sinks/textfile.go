package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace-io/millrace/flow"
)

// TextFile is a sink that writes each record as a line of a text file, appended records only. format appends a value's
// line without its end; nil formats as fmt does.
//
// The lines go to a hidden file in the same directory, made safe at every Flush and continued by the attempts and runs
// of the same lineage. The file gets its name, all at once and replacing what had it, when the input has ended. A crash
// repeats lines written since the last epoch: it is at-least-once. With several tasks each has a file of its own: path
// with ".0", ".1", … behind it. Where the job's state stays, so does the hidden name, of the same file: a job that is started
// again after its end goes on with the lines there are.
func TextFile[T any](path string, format func(dst []byte, v T) []byte) Sink[T] {
	if format == nil {
		format = func(dst []byte, v T) []byte { return fmt.Append(dst, v) }
	}
	return &textFile[T]{path, format}
}

type textFile[T any] struct {
	path   string
	format func(dst []byte, v T) []byte
}

func (f *textFile[T]) Guarantee() string { return "at-least-once" }

// Modes implements Moder: a line that was written stays.
func (f *textFile[T]) Modes() []Mode { return []Mode{Append} }

func (f *textFile[T]) Check(context.Context) error {
	if f.path == "" {
		return errors.New("text file: no path")
	}
	if info, err := os.Stat(f.path); err == nil && info.IsDir() {
		return fmt.Errorf("text file: %q is a directory: name a file in it", f.path)
	}
	info, err := os.Stat(filepath.Dir(f.path))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is not a directory", filepath.Dir(f.path))
	}
	if err != nil {
		return fmt.Errorf("text file %q: %w", f.path, err)
	}
	return nil
}

func (f *textFile[T]) Open(_ context.Context, at Instance) (Writer[T], error) {
	path := f.path
	if at.Tasks > 1 {
		path = fmt.Sprintf("%s.%d", path, at.Task)
	}
	part := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%s.part", filepath.Base(path), fileName(at.Lineage)))
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("text file: %w", err)
	}
	if err := cutTorn(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("text file %q: %w", part, err)
	}
	return &textWriter[T]{path: path, part: part, file: file, format: f.format, resumes: at.Resumes}, nil
}

// fileName keeps a lineage's name from leaving the directory.
func fileName(lineage string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r == 0 {
			return '_'
		}
		return r
	}, lineage)
}

// cutTorn cuts a last line that has no end, which a crash left, and goes to the end. Its record comes again.
func cutTorn(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	buf := make([]byte, 4096)
	for err == nil && end > 0 {
		n := min(end, int64(len(buf)))
		if _, err = f.ReadAt(buf[:n], end-n); err != nil {
			break
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end += int64(i) + 1 - n
			break
		}
		end -= n
	}
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	return err
}

type textWriter[T any] struct {
	path, part string
	file       *os.File
	format     func(dst []byte, v T) []byte
	buf        []byte
	published  bool
	resumes    bool
}

func (w *textWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	w.buf = w.buf[:0]
	for i := range b.Records {
		if k := b.KindOf(i); k != flow.Insert {
			return fmt.Errorf("text file %q: record of kind %q: a text file takes appended records only", w.path, k)
		}
		w.buf = append(w.format(w.buf, b.Records[i].Value), '\n')
	}
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.file.Write(w.buf)
	return err
}

// Flush makes the lines safe under their hidden name.
func (w *textWriter[T]) Flush(context.Context) error {
	if err := w.file.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(w.part))
}

// Finish gives the file its name. The hidden name stays until Close: should the process die before the job has ended,
// the next run continues the file and publishes it again.
func (w *textWriter[T]) Finish(context.Context) error {
	if err := w.file.Sync(); err != nil {
		return err
	}
	second := w.part + ".new"
	if err := os.Remove(second); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Link(w.part, second); err != nil {
		return fmt.Errorf("text file: publish: %w", err)
	}
	if err := os.Rename(second, w.path); err != nil {
		return fmt.Errorf("text file: publish: %w", err)
	}
	if _, err := os.Lstat(second); err == nil { // renaming a file onto itself, published before, does nothing
		if err := os.Remove(second); err != nil {
			return err
		}
	}
	w.published = true
	return syncDir(filepath.Dir(w.path))
}

func (w *textWriter[T]) Close() error {
	err := w.file.Close()
	if w.published && !w.resumes {
		err = errors.Join(err, os.Remove(w.part))
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
