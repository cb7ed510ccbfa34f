package sortedfile

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	runBufferBytes = 64 << 10
	// mergeWidth bounds the runs merged at once, and with it the buffers in memory.
	mergeWidth = 128
	// contextEvery is how many lines are merged between two looks at the context.
	contextEvery = 4096
)

// runWriter writes a run: length of the line, length of its key, the line.
type runWriter struct {
	out  *bufio.Writer
	head [2 * binary.MaxVarintLen64]byte
}

func newRunWriter(f *os.File) *runWriter {
	return &runWriter{out: bufio.NewWriterSize(f, runBufferBytes)}
}

// add appends a line; the first error is flush's.
func (w *runWriter) add(line []byte, keyBytes int) {
	head := binary.AppendUvarint(w.head[:0], uint64(len(line)))
	head = binary.AppendUvarint(head, uint64(keyBytes))
	_, _ = w.out.Write(head)
	_, _ = w.out.Write(line)
}

func (w *runWriter) flush() error { return w.out.Flush() }

// runReader reads a run from its beginning; line is the one in hand.
type runReader struct {
	in       *bufio.Reader
	line     []byte
	keyBytes int
}

func (r *runReader) next() error {
	size, err := binary.ReadUvarint(r.in)
	if err != nil {
		return err // io.EOF between two lines is the end
	}
	key, err := binary.ReadUvarint(r.in)
	if err == nil && key > size {
		err = fmt.Errorf("key of %d bytes in a line of %d", key, size)
	}
	if err != nil {
		return fmt.Errorf("read back a run: %w", noEOF(err))
	}
	if uint64(cap(r.line)) < size {
		r.line = make([]byte, size)
	}
	r.line, r.keyBytes = r.line[:size], int(key)
	if _, err = io.ReadFull(r.in, r.line); err != nil {
		return fmt.Errorf("read back a run: %w", noEOF(err))
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readers is a heap of runs by the line in hand.
type readers []*runReader

func (h readers) Len() int      { return len(h) }
func (h readers) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h readers) Less(i, j int) bool {
	return compare(h[i].line, h[i].keyBytes, h[j].line, h[j].keyBytes) < 0
}

// Push implements heap.Interface.
func (h *readers) Push(x any) { *h = append(*h, x.(*runReader)) }

// Pop implements heap.Interface.
func (h *readers) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}

// merge writes the lines of all runs, sorted, to out. More runs than mergeWidth are first merged into fewer.
func merge(ctx context.Context, out *os.File, runs []*os.File) error {
	for len(runs) > mergeWidth {
		f, err := os.CreateTemp(filepath.Dir(out.Name()), ".millrace-run-")
		if err != nil {
			return err
		}
		_ = os.Remove(f.Name())
		defer discard(f)
		w := newRunWriter(f)
		if err := each(ctx, runs[:mergeWidth], w.add); err != nil {
			return err
		}
		if err := w.flush(); err != nil {
			return err
		}
		runs = append(runs[mergeWidth:len(runs):len(runs)], f)
	}
	w := bufio.NewWriterSize(out, runBufferBytes)
	err := each(ctx, runs, func(line []byte, _ int) {
		_, _ = w.Write(line) // the first error is Flush's
		_ = w.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// each gives f the lines of all runs in order.
func each(ctx context.Context, runs []*os.File, f func(line []byte, keyBytes int)) error {
	h := make(readers, 0, len(runs))
	for _, run := range runs {
		if _, err := run.Seek(0, io.SeekStart); err != nil {
			return err
		}
		r := &runReader{in: bufio.NewReaderSize(run, runBufferBytes)}
		if err := r.next(); err == nil {
			h = append(h, r)
		} else if !errors.Is(err, io.EOF) {
			return err
		}
	}
	heap.Init(&h)
	for n := 0; len(h) > 0; n++ {
		if n%contextEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		f(h[0].line, h[0].keyBytes)
		switch err := h[0].next(); {
		case err == nil:
			heap.Fix(&h, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&h)
		default:
			return err
		}
	}
	return nil
}
