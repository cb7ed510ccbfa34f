package filesource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Text is a source of the lines of files, without their line ends (\n or \r\n). A last line without an end counts. A
// record's time is its file's modification time, as it is for all sources of this package.
func Text(cfg Config) sources.Source[string] { return newSource[string](cfg, textFormat{}) }

// JSON is a source of the values of files with one JSON text per line, decoded by codec.JSON. Blank lines are passed over;
// lines that cannot be decoded are dead letters.
func JSON[T any](cfg Config) sources.Source[T] {
	return newSource[T](cfg, jsonFormat[T]{codec.JSON[T]()})
}

// format is how the records of a file are found.
type format[T any] interface {
	check() error
	// open begins at byte at, behind a record. It reads through buf.
	open(f *file, at int64, buf *bufio.Reader) (content[T], error)
}

// content is a file being read.
type content[T any] interface {
	// fill adds records and dead letters until b is full, or returns io.EOF at the end of the file.
	fill(b *sources.Batch[T]) error
	// offset is the number of bytes read: behind the last record handed over.
	offset() int64
}

// file is a file that is open, and what content needs to know of it.
type file struct {
	*os.File
	entry
	recordMax int
}

// letter is the dead letter of a record of this file.
func (f *file) letter(line int64, value []byte, reason string) flow.DeadLetter {
	d := flow.DeadLetter{Position: f.name, Reason: reason, Value: append([]byte(nil), value[:min(len(value), flow.DeadLetterBytesMax)]...), Time: timeOf(f.modNS)}
	if line > 0 {
		d.Position = fmt.Sprintf("%s, line %d", f.name, line)
	}
	return d
}

type source[T any] struct {
	directory
	format format[T]
}

func newSource[T any](cfg Config, f format[T]) *source[T] {
	return &source[T]{directory: directory{cfg: cfg.withDefaults()}, format: f}
}

// Check implements sources.Checker.
func (s *source[T]) Check(context.Context) error {
	if err := errors.Join(s.cfg.validate(), s.format.check()); err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	return nil
}

// Splits implements sources.Source: the directory is one split.
func (s *source[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	start, _ := positionAt(nil)
	return []flow.Split{{ID: "files", Start: start.append(nil)}}, nil
}

// Open implements sources.Source.
func (s *source[T]) Open(_ context.Context, split flow.Split, from flow.Position) (sources.Reader[T], error) {
	return s.reader(split, from)
}

func (s *source[T]) reader(split flow.Split, from flow.Position) (*reader[T], error) {
	if len(from) == 0 {
		from = split.Start
	}
	at, err := positionAt(from)
	if err != nil {
		return nil, fmt.Errorf("file source: split %q: %w", split.ID, err)
	}
	at.plan = nil
	r := &reader[T]{source: s, at: *at, buf: bufio.NewReaderSize(nil, bufferBytes)}
	r.base = r.at.appendRead(nil)
	if at.file.name != "" {
		if err := r.resume(); err != nil {
			return nil, fmt.Errorf("file source: %w", err)
		}
	}
	return r, nil
}

// Latest implements sources.Bounder: the files that are there now, at most most and Config.MaxFilesPerTrigger.
func (s *source[T]) Latest(_ context.Context, split flow.Split, from flow.Position, most int64) (flow.Position, error) {
	if len(from) == 0 {
		from = split.Start
	}
	at, err := positionAt(from)
	if err != nil {
		return nil, fmt.Errorf("file source: split %q: %w", split.ID, err)
	}
	todo, err := s.list(at)
	if err != nil {
		return nil, fmt.Errorf("file source: %w", err)
	}
	if own := int64(s.cfg.MaxFilesPerTrigger); own > 0 && (most <= 0 || own < most) {
		most = own
	}
	if at.file.name != "" {
		todo = append([]entry{at.file}, todo...)
	}
	if most > 0 && int64(len(todo)) > most {
		todo = todo[:most]
	}
	if len(todo) == 0 {
		if s.cfg.Once {
			return from, io.EOF
		}
		return from, nil
	}
	for _, e := range todo {
		at.finish(e)
	}
	at.file, at.offset, at.plan = entry{}, 0, todo
	return at.append(nil), nil
}

// Unlimited implements sources.Limiter: without MaxFilesPerTrigger.
func (s *source[T]) Unlimited() sources.Bounder[T] {
	all := newSource(s.cfg, s.format)
	all.cfg.MaxFilesPerTrigger = 0
	return all
}

// Before implements sources.Orderer: whether there are files of the batch that ends at b which are not done at a.
func (s *source[T]) Before(split flow.Split, a, b flow.Position) (bool, error) {
	at, err := positionAt(a)
	var end *position
	if err == nil {
		end, err = positionAt(b)
	}
	if err != nil {
		return false, fmt.Errorf("file source: split %q: %w", split.ID, err)
	}
	return slices.ContainsFunc(end.plan, func(e entry) bool { return !at.done(e) }), nil
}

// OpenUntil implements sources.Bounder.
func (s *source[T]) OpenUntil(_ context.Context, split flow.Split, from, until flow.Position) (sources.Reader[T], error) {
	end, err := positionAt(until)
	if err != nil {
		return nil, fmt.Errorf("file source: split %q: %w", split.ID, err)
	}
	r, err := s.reader(split, from)
	if err != nil {
		return nil, err
	}
	r.until = append(flow.Position{}, until...)
	for _, e := range end.plan {
		if e.name != r.at.file.name && !r.at.done(e) {
			r.queue = append(r.queue, e)
		}
	}
	return r, nil
}
