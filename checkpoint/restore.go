package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/internal/delta"
)

// Restore hands all blocks of the newest epoch to f, oldest run first, so later entries of a key win; folded runs hold
// deletions too. A block's Data is f's until it returns. Checksums are verified before a block is handed over, the hash of a file
// behind its last block: after an error everything handed over must be thrown away. Damage is ErrDamaged and names file
// and epoch. The engine calls it after Begin, before the first Complete of the attempt.
func (l *Log) Restore(ctx context.Context, f func(delta.Block) error) error {
	l.mu.Lock()
	r, closed := l.chain.newest, l.closed
	l.mu.Unlock()
	if closed {
		return errClosed
	}
	if r == nil {
		return nil
	}
	for _, file := range r.runs {
		if err := l.restoreRun(ctx, file, f); err != nil {
			return fmt.Errorf("restore job %q from epoch %d: %w", l.o.Job, r.epoch, err)
		}
	}
	return nil
}

func (l *Log) restoreRun(ctx context.Context, file run, f func(delta.Block) error) (err error) {
	rd, err := openRun(ctx, l.o.Store, l.lineage, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rd.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := f(rd.current()); err != nil {
			return err
		}
	}
}
