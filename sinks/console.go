package sinks

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/millrace-io/millrace/flow"
)

// ConsoleConfig is the configuration of Console.
type ConsoleConfig struct {
	Writer io.Writer // default standard output; lines of several tasks are not mixed within a line
}

// Console is a sink that writes each record as a line, for a person to read. format appends a value's text without the
// line's end; nil formats as fmt does. A record that is not an insert has its kind before it.
func Console[T any](cfg ConsoleConfig, format func(dst []byte, v T) []byte) Sink[T] {
	if cfg.Writer == nil {
		cfg.Writer = os.Stdout
	}
	if format == nil {
		format = func(dst []byte, v T) []byte { return fmt.Append(dst, v) }
	}
	return &console[T]{to: cfg.Writer, format: format}
}

type console[T any] struct {
	format func(dst []byte, v T) []byte
	mu     sync.Mutex // guards writes to to
	to     io.Writer
}

func (c *console[T]) Guarantee() string { return "at-least-once" }

func (c *console[T]) Open(context.Context, Instance) (Writer[T], error) {
	return &consoleWriter[T]{to: c}, nil
}

type consoleWriter[T any] struct {
	to  *console[T]
	buf []byte
}

func (w *consoleWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	w.buf = w.buf[:0]
	for i := range b.Records {
		if k := b.KindOf(i); k != flow.Insert {
			w.buf = append(append(w.buf, k.String()...), ' ')
		}
		w.buf = append(w.to.format(w.buf, b.Records[i].Value), '\n')
	}
	if len(w.buf) == 0 {
		return nil
	}
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	_, err := w.to.to.Write(w.buf)
	return err
}

func (w *consoleWriter[T]) Flush(context.Context) error { return nil }
func (w *consoleWriter[T]) Close() error                { return nil }
