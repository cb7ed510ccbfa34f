package runner

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// deadLetterFile is a sink that appends dead letters to a file, one JSON text a line. Letters since the last epoch are
// written again after a crash.
type deadLetterFile struct{ path string }

// letter is a dead letter as it is written; key and value are base64, since they may be anything.
type letter struct {
	Operator string    `json:"operator"`
	Split    string    `json:"split"`
	Position string    `json:"position"`
	Reason   string    `json:"reason"`
	Key      []byte    `json:"key,omitempty"`
	Value    []byte    `json:"value"`
	Time     time.Time `json:"time,omitzero"`
}

// Check implements sinks.Checker.
func (d deadLetterFile) Check(context.Context) error {
	f, err := d.open()
	if err != nil {
		return err
	}
	return f.Close()
}

// Guarantee implements sinks.Guarantor.
func (deadLetterFile) Guarantee() string { return "at-least-once" }

func (d deadLetterFile) open() (*os.File, error) {
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return f, nil
}

// Open implements sinks.Sink.
func (d deadLetterFile) Open(context.Context, sinks.Instance) (sinks.Writer[millrace.DeadLetter], error) {
	f, err := d.open()
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &deadLetterWriter{file: f, sync: info.Mode().IsRegular(), codec: codec.JSON[letter]()}, nil
}

type deadLetterWriter struct {
	file  *os.File
	sync  bool // a pipe or a terminal cannot be
	codec codec.Codec[letter]
	buf   []byte
}

// Write implements sinks.Writer: one write for a batch, so that lines of several tasks do not mix.
func (w *deadLetterWriter) Write(_ context.Context, b *flow.Batch[millrace.DeadLetter]) (err error) {
	w.buf = w.buf[:0]
	for i := range b.Records {
		l := &b.Records[i].Value
		w.buf, err = w.codec.Append(w.buf, letter{l.Operator, l.Split, l.Position, l.Reason, l.Key, l.Value, l.Time})
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		w.buf = append(w.buf, '\n')
	}
	if _, err := w.file.Write(w.buf); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// Flush implements sinks.Writer.
func (w *deadLetterWriter) Flush(context.Context) error {
	if !w.sync {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// Close implements sinks.Writer.
func (w *deadLetterWriter) Close() error { return w.file.Close() }
