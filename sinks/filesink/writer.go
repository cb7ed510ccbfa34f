package filesink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/sinks"
)

// writer writes a task's files, one after the other.
type writer[T any] struct {
	shelf
	encoder encoder[T]
	scratch []byte

	next  draft      // of the newest file
	open  *writing   // nil between two files
	ended []*writing // of a batch that goes on
	ends  bool       // a batch has ended since the last Prepare
	named bool       // files were made since the names were synced

	// failed is the first error, of commits too, which run beside the rest. What a file holds after a refused write or sync is unknown, so
	// the writer does nothing more.
	failed atomic.Pointer[error]
}

// Write implements sinks.Writer.
func (w *writer[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	return w.try(func() error {
		for i := range b.Records {
			if k := b.KindOf(i); k != flow.Insert {
				return fmt.Errorf("record of kind %q: files take appended records only", k)
			}
			if err := w.add(b.Records[i].Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// try does something unless an error came before.
func (w *writer[T]) try(do func() error) error {
	if w.failed.Load() == nil {
		if err := do(); err != nil {
			err = fmt.Errorf("file sink: directory %q: %w", w.cfg.Dir, err)
			w.failed.CompareAndSwap(nil, &err)
		}
	}
	return w.refused()
}

// refused is what failed has.
func (w *writer[T]) refused() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *writer[T]) add(v T) (err error) {
	if w.scratch, err = w.encoder.append(w.scratch[:0], v); err != nil {
		return err
	}
	if w.open == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if err := w.open.append(w.scratch); err != nil {
		return err
	}
	if w.open.size >= w.cfg.RollBytes {
		return w.end()
	}
	return nil
}

func (w *writer[T]) begin() (err error) {
	w.next.number++
	if w.open, err = begin(w.disk, w.next.hidden(), w.next.final(w.cfg)); err != nil {
		return err
	}
	w.named = true
	return w.open.append(w.encoder.head())
}

// end ends the open file: it is complete, and to be published.
func (w *writer[T]) end() error {
	if err := w.open.end(); err != nil {
		return err
	}
	w.open, w.ended = nil, append(w.ended, w.open)
	return nil
}

// sync makes everything safe, under the hidden names.
func (w *writer[T]) sync() error {
	if w.open != nil {
		if err := w.open.sync(); err != nil {
			return err
		}
	}
	if !w.named {
		return nil
	}
	w.named = false
	err := w.disk.sync()
	fault.Point("files/names-synced")
	return err
}

// Flush implements sinks.Writer.
func (w *writer[T]) Flush(context.Context) error { return w.try(w.sync) }

// EndBatch implements sinks.Batcher.
func (w *writer[T]) EndBatch(context.Context, int64) error {
	w.ends = true
	return w.refused()
}

// Prepare implements sinks.Committer. The token names the files of the batch, and the open one as far as it goes. Until the batch has ended each
// token names them all again, also when nothing was added: the engine may forget a token once Commit was told of it, and Commit
// publishes whole batches only, so the newest token alone must be enough to have all that was not published.
func (w *writer[T]) Prepare(context.Context, flow.Epoch) (token []byte, err error) {
	err = w.try(func() error {
		if w.open != nil && w.ends {
			if err := w.end(); err != nil {
				return err
			}
		}
		if err := w.sync(); err != nil {
			return err
		}
		var files []entry
		for _, f := range w.all() {
			f.known, f.due = true, w.ends
			files = append(files, f.done())
		}
		if w.ends {
			w.ends, w.ended = false, nil
		}
		if len(files) > 0 {
			token = appendToken(nil, files)
		}
		return nil
	})
	return token, err
}

// Commit implements sinks.Committer. The files of a batch that goes on are left: later tokens name them too, and Recover ends it.
func (w *writer[T]) Commit(_ context.Context, tokens [][]byte) error {
	return w.try(func() error {
		var files []entry
		for _, t := range tokens {
			named, err := parseToken(t)
			if err != nil {
				return err
			}
			for _, f := range named {
				if f.due {
					files = append(files, f)
				}
			}
		}
		return w.publish(files)
	})
}

// all are the files that the next token names.
func (w *writer[T]) all() []*writing {
	if w.open == nil {
		return w.ended
	}
	return append(w.ended, w.open)
}

// Close implements sinks.Writer. A file that no token names is of no use to anyone.
func (w *writer[T]) Close() error {
	var errs []error
	if w.open != nil && !w.open.closed {
		errs = append(errs, w.open.file.Close())
	}
	for _, f := range w.all() {
		if f.known {
			continue
		}
		if err := w.disk.remove(f.hidden); !errors.Is(err, fs.ErrNotExist) { // Recover of a newer attempt may have removed it
			errs = append(errs, err)
		}
	}
	w.open, w.ended = nil, nil
	return errors.Join(append(errs, w.disk.close())...)
}

var (
	_ sinks.Committer = (*writer[string])(nil)
	_ sinks.Batcher   = (*writer[string])(nil)
)
