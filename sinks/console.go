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
	// Rows is how many rows of a batch are shown; 0 means 20, negative all. It is about tables: lines are all shown.
	Rows int
}

// defaultConsoleRows is how many rows of a batch a person wants to see.
const defaultConsoleRows = 20

// Console is a sink for a person to read. While records flow one by one each is a line: format appends a value's text without the
// line's end; nil formats as fmt does. A record that is not an insert has its kind before it.
//
// Under a micro-batch trigger, and in complete mode, each batch with records is a table under the number of the batch, written by one
// task. Its columns are the fields of the records, those of a field that is a struct too under both names, or one column when format
// is given or the records have no fields. A column more shows the kinds when not all are inserts.
func Console[T any](cfg ConsoleConfig, format func(dst []byte, v T) []byte) Sink[T] {
	c := &console[T]{to: cfg.Writer, format: format, rows: cfg.Rows}
	if c.to == nil {
		c.to = os.Stdout
	}
	if c.rows == 0 {
		c.rows = defaultConsoleRows
	}
	c.columns = fieldColumns[T]()
	if format != nil || len(c.columns) == 0 {
		c.columns = nil
	}
	if format == nil {
		c.format = func(dst []byte, v T) []byte { return fmt.Append(dst, v) }
	}
	return c
}

type console[T any] struct {
	format  func(dst []byte, v T) []byte
	columns []column // none: one of what format makes
	rows    int
	mu      sync.Mutex // guards writes to to
	to      io.Writer
}

func (c *console[T]) Guarantee() string { return "at-least-once" }

// Single implements sinks.Single: a batch is one table.
func (c *console[T]) Single(batched bool) bool { return batched }

func (c *console[T]) Open(_ context.Context, at Instance) (Writer[T], error) {
	if at.Batched {
		return &consoleTable[T]{to: c, mode: at.Mode}, nil
	}
	return &consoleWriter[T]{to: c}, nil
}

func (c *console[T]) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.to.Write(text)
	return err
}

// consoleWriter writes lines.
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
	return w.to.write(w.buf)
}

func (w *consoleWriter[T]) Flush(context.Context) error { return nil }
func (w *consoleWriter[T]) Close() error                { return nil }
