// Package sortedfile is a sink that writes the final rows of a bounded job into one file, sorted, in bounded memory: sorted
// runs are spilled to temporary files and merged when the input has truly ended. The file appears complete or not at all.
package sortedfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Row is a line to write.
type Row[T any] interface {
	// AppendRow appends the row's sort key and the text behind it; the line is both, and a newline.
	AppendRow(dst []byte, v T) (row []byte, keyBytes int)
}

// RowFunc makes a Row of a function.
type RowFunc[T any] func(dst []byte, v T) (row []byte, keyBytes int)

// AppendRow implements Row.
func (f RowFunc[T]) AppendRow(dst []byte, v T) ([]byte, int) { return f(dst, v) }

// Config says where the file goes and what sorting it may use.
type Config struct {
	Path        string // file to write; replaced when it exists
	MemoryBytes int    // for rows that are not spilled yet, over all tasks; default 32 MiB
}

const defaultMemoryBytes = 32 << 20

// New is a sink of rows sorted by the bytes of their keys, rows of equal keys by the rest of their line. All tasks of the
// operator must be in one process. Spilled runs lie in the folder of the file, without a name where the system allows it.
func New[T any](cfg Config, row Row[T]) sinks.Sink[T] {
	if cfg.MemoryBytes == 0 {
		cfg.MemoryBytes = defaultMemoryBytes
	}
	return &sink[T]{cfg: cfg, row: row}
}

type sink[T any] struct {
	cfg Config
	row Row[T]

	mu      sync.Mutex
	current *gathering
}

// Check reports a path that cannot be written, before a record flows.
func (s *sink[T]) Check(context.Context) error {
	if s.row == nil {
		return errors.New("sorted file: row is nil")
	}
	if s.cfg.Path == "" {
		return errors.New("sorted file: no path")
	}
	if info, err := os.Stat(s.cfg.Path); err == nil && info.IsDir() {
		return fmt.Errorf("sorted file: %q is a directory: name a file", s.cfg.Path)
	}
	// One name: what a process leaves that is killed here, the next start removes.
	name := filepath.Join(filepath.Dir(s.cfg.Path), ".millrace-check")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sorted file %q: its folder must exist and be writable: %w", s.cfg.Path, err)
	}
	err = f.Close()
	if e := os.Remove(name); !errors.Is(e, fs.ErrNotExist) { // another start has removed it
		err = errors.Join(err, e)
	}
	return err
}

// Guarantee implements sinks.Guarantor.
func (s *sink[T]) Guarantee() string {
	return "exactly-once: one complete file when the input has ended"
}

// Rewrites implements sinks.Rewriter.
func (s *sink[T]) Rewrites() {}

// Open implements sinks.Sink.
func (s *sink[T]) Open(_ context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.attempt != at.Attempt {
		s.current = &gathering{attempt: at.Attempt, path: s.cfg.Path, lineage: at.Lineage, tasks: at.Tasks}
	}
	return &writer[T]{row: s.row, to: s.current, bytesMax: max(s.cfg.MemoryBytes/at.Tasks, minBytes)}, nil
}

// gathering is what the tasks of one attempt have finished.
type gathering struct {
	attempt flow.Attempt
	path    string
	lineage string
	tasks   int

	mu       sync.Mutex
	finished int
	runs     []*os.File
}

// finish takes over a task's runs; the last task merges them all and publishes the file.
func (g *gathering) finish(ctx context.Context, runs []*os.File) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs = append(g.runs, runs...)
	if g.finished++; g.finished < g.tasks {
		return nil
	}
	err := g.publish(ctx)
	for _, r := range g.runs {
		discard(r)
	}
	g.runs = nil
	return err
}

// publish merges the runs into a file beside the target and renames it. The name is the lineage's own: what a killed process
// left is overwritten by the next one, and no other job writes it.
func (g *gathering) publish(ctx context.Context) (err error) {
	dir := filepath.Dir(g.path)
	partial := filepath.Join(dir, fmt.Sprintf(".%s.%s.partial", filepath.Base(g.path), g.lineage))
	f, err := os.Create(partial)
	if err != nil {
		return fmt.Errorf("sorted file %q: %w", g.path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial) // the next run overwrites it
			err = fmt.Errorf("sorted file %q: %w", g.path, err)
		}
	}()
	if err := errors.Join(merge(ctx, f, g.runs), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, g.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
