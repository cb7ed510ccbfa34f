package filesink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/millrace-io/millrace/sinks"
)

// Text is a sink of the lines of text files. A value with a line end in it is an error, as it would be read as two.
func Text(cfg Config) sinks.Sink[string] {
	return newSink[string](cfg.withDefaults(".txt"), textFormat{})
}

// JSON is a sink of files with one JSON text per line, encoded by codec.JSON.
func JSON[T any](cfg Config) sinks.Sink[T] {
	return newSink[T](cfg.withDefaults(".jsonl"), jsonFormat[T]{})
}

// format is how values become bytes.
type format[T any] interface {
	check() error
	// encoder makes one for a writer.
	encoder() encoder[T]
}

type encoder[T any] interface {
	// head begins each file.
	head() []byte
	// append appends a record, with its end.
	append(dst []byte, v T) ([]byte, error)
}

type sink[T any] struct {
	cfg    Config
	format format[T]
	open   func(path string) (disk, error)
}

func newSink[T any](cfg Config, f format[T]) *sink[T] {
	return &sink[T]{cfg: cfg, format: f, open: openDirectory}
}

// Guarantee implements sinks.Guarantor.
func (s *sink[T]) Guarantee() string { return "exactly-once, visible with each batch" }

// Modes implements sinks.Moder: a record that was written stays.
func (s *sink[T]) Modes() []sinks.Mode { return []sinks.Mode{sinks.Append} }

// Commits implements sinks.Transactional.
func (s *sink[T]) Commits() sinks.Cadence { return sinks.PerBatch }

// Check reports wrong configuration, and a directory in which files cannot be made and linked.
func (s *sink[T]) Check(context.Context) error {
	if err := errors.Join(s.cfg.validate(), s.format.check()); err != nil {
		return fmt.Errorf("file sink: %w", err)
	}
	if err := s.probe(); err != nil {
		return fmt.Errorf("file sink: directory %q: %w", s.cfg.Dir, err)
	}
	return nil
}

// probe makes a file, links it and removes both.
func (s *sink[T]) probe() (err error) {
	d, err := s.open(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	name := fmt.Sprintf("%scheck-%016x", hiddenPrefix, rand.Uint64())
	f, err := d.create(name)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return errors.Join(err, d.remove(name))
	}
	if err := d.link(name, name+"-link"); err != nil {
		return errors.Join(fmt.Errorf("its file system must have hard links: %w", err), d.remove(name))
	}
	return errors.Join(d.remove(name+"-link"), d.remove(name))
}

// Open implements sinks.Sink. It touches no file: the first is made for the first record.
func (s *sink[T]) Open(_ context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	d, err := s.open(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("file sink: directory %q: %w", s.cfg.Dir, err)
	}
	return &writer[T]{
		shelf: shelf{cfg: s.cfg, disk: d}, encoder: s.format.encoder(),
		next: draft{owner: ownerOf(at), attempt: at.Attempt, task: at.Task},
	}, nil
}
