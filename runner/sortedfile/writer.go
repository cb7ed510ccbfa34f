package sortedfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/millrace-io/millrace/flow"
)

const minBytes = 4 << 10

// row is a line in the arena: its key is the first keyBytes.
type row struct{ from, to, keyBytes int }

// rowBytes is what a row costs beside its text.
const rowBytes = 24

// writer gathers one task's rows and spills them, sorted, when they fill its memory.
type writer[T any] struct {
	row      Row[T]
	to       *gathering
	bytesMax int

	arena []byte
	rows  []row
	runs  []*os.File
}

// Write implements sinks.Writer.
func (w *writer[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		if b.KindOf(i) != flow.Insert {
			return fmt.Errorf("sorted file %q: a record of kind %s: it takes final rows only", w.to.path, b.KindOf(i))
		}
		if err := w.add(b.Records[i].Value); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer[T]) add(v T) error {
	from := len(w.arena)
	arena, keyBytes := w.row.AppendRow(w.arena, v)
	w.arena = arena
	w.rows = append(w.rows, row{from, len(arena), keyBytes})
	if len(w.arena)+rowBytes*len(w.rows) < w.bytesMax {
		return nil
	}
	return w.spill()
}

// Flush implements sinks.Writer. Nothing is promised before the end: rows that were not published are emitted again.
func (w *writer[T]) Flush(context.Context) error { return nil }

// Finish implements sinks.Finisher.
func (w *writer[T]) Finish(ctx context.Context) error {
	if err := w.spill(); err != nil {
		return err
	}
	runs := w.runs
	w.runs, w.arena, w.rows = nil, nil, nil
	return w.to.finish(ctx, runs)
}

// Close implements sinks.Writer.
func (w *writer[T]) Close() error {
	for _, r := range w.runs {
		discard(r)
	}
	w.runs = nil
	return nil
}

// spill writes the rows in memory as a sorted run.
func (w *writer[T]) spill() (err error) {
	if len(w.rows) == 0 {
		return nil
	}
	slices.SortFunc(w.rows, func(a, b row) int {
		return compare(w.arena[a.from:a.to], a.keyBytes, w.arena[b.from:b.to], b.keyBytes)
	})
	f, err := os.CreateTemp(filepath.Dir(w.to.path), ".millrace-run-")
	if err != nil {
		return fmt.Errorf("sorted file %q: spill: %w", w.to.path, err)
	}
	_ = os.Remove(f.Name()) // a killed process leaves nothing; a system that keeps open files removes it in discard
	w.runs = append(w.runs, f)
	out := newRunWriter(f)
	for _, r := range w.rows {
		out.add(w.arena[r.from:r.to], r.keyBytes)
	}
	if err := out.flush(); err != nil {
		return fmt.Errorf("sorted file %q: spill: %w", w.to.path, err)
	}
	w.arena, w.rows = w.arena[:0], w.rows[:0]
	return nil
}

func discard(f *os.File) {
	f.Close()
	_ = os.Remove(f.Name()) // it has no name any more where that was possible
}

// compare orders lines by key, then by what follows.
func compare(a []byte, aKey int, b []byte, bKey int) int {
	if c := bytes.Compare(a[:aKey], b[:bKey]); c != 0 {
		return c
	}
	return bytes.Compare(a[aKey:], b[bKey:])
}
