package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/planted"
)

// Restore hands all blocks of the newest epoch to f, oldest run first, so later entries of a key win; folded runs hold
// deletions too. A block's Data is f's until it returns. Checksums are verified before a block is handed over, the hash of a file
// behind its last block: after an error everything handed over must be thrown away. Damage is ErrDamaged and names file
// and epoch. The engine calls it after Begin, before the first Complete of the attempt.
//
// An epoch of older schemas is written anew first, as one run, which takes about as long as the restore itself.
func (l *Log) Restore(ctx context.Context, f func(delta.Block) error) error {
	l.mu.Lock()
	r, closed := l.chain.newest, l.closed
	evolve := l.pending(r)
	l.mu.Unlock()
	if closed {
		return errClosed
	}
	if r == nil {
		return nil
	}
	runs := r.runs
	if planted.On("newest-run-restored-first") {
		runs = slices.Clone(runs)
		slices.Reverse(runs)
	}
	if evolve {
		var err error
		if runs, err = l.evolve(ctx); err != nil {
			return fmt.Errorf("restore job %q from epoch %d: %w", l.o.Job, r.epoch, err)
		}
	}
	for _, file := range runs {
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
	if err := checkSchemas(rd.schemas, l.o.Plan.Schemas); err != nil {
		return file.explain(err)
	}
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
