package sinks

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/millrace-io/millrace/flow"
)

// ForEachBatch is a sink that gives f the records of each batch in one call for the whole job, in order and with their kinds; rows
// are f's to keep. A batch without records is not called. In complete mode the rows are the whole table, or one deletion when
// it has become empty.
//
// f is called when the epoch that ends the batch is complete, with the rows that this epoch holds: the same number always comes with the same rows. Numbers
// count from 0, also over restarts. A crash during the call, or before a later epoch has noted that it returned, calls f again with the same
// number and rows: with an epoch table, a transaction that writes both the rows and the number, and skips a number it finds, makes the effect
// exactly-once. Under at-most-once nothing is recorded, and the call of a batch is not repeated.
//
// The engine keeps the rows in its state until the batch ends, and in its output until f has returned, so memory and state hold a batch. f runs on an I/O
// goroutine and may wait until ctx ends; an error fails the attempt. What f did must be safe when it returns.
func ForEachBatch[T any](f func(ctx context.Context, batch int64, rows []Row[T]) error) Sink[T] {
	return &forEachBatch[T]{call: f}
}

type forEachBatch[T any] struct {
	call func(ctx context.Context, batch int64, rows []Row[T]) error
}

func (f *forEachBatch[T]) Check(context.Context) error {
	if f.call == nil {
		return errors.New("foreach batch: function is nil")
	}
	_, err := newBatchToken[T]()
	return err
}

func (f *forEachBatch[T]) Guarantee() string {
	return "at-least-once, a batch always with the same number and rows"
}

// KeepsBatches implements BatchKeeper.
func (f *forEachBatch[T]) KeepsBatches() {}

// Commits implements Transactional.
func (f *forEachBatch[T]) Commits() Cadence { return PerBatch }

func (f *forEachBatch[T]) Open(context.Context, Instance) (Writer[T], error) {
	tokens, err := newBatchToken[T]()
	if err != nil {
		return nil, err
	}
	return &batchWriter[T]{call: f.call, tokens: tokens, batch: flow.NoBatch}, nil
}

// Recover implements Transactional: f is called with the batches that may not have been.
func (f *forEachBatch[T]) Recover(ctx context.Context, _ Instance, prepared []Prepared) error {
	tokens, err := newBatchToken[T]()
	if err != nil {
		return err
	}
	for _, p := range prepared {
		batch, rows, err := tokens.decode(p.Token)
		if err != nil {
			return fmt.Errorf("batch kept in epoch %d: %w", p.Epoch, err)
		}
		if err := f.call(ctx, batch, rows); err != nil {
			return err
		}
	}
	return nil
}

// batchWriter keeps the rows of batches until their epoch is complete.
type batchWriter[T any] struct {
	call   func(ctx context.Context, batch int64, rows []Row[T]) error
	tokens *batchToken[T]
	rows   []Row[T] // of the batch that is being written
	batch  int64    // that has ended with the barrier to come; NoBatch: none

	mu    sync.Mutex
	ended []endedBatch[T] // prepared and not called; guarded by mu
}

type endedBatch[T any] struct {
	batch int64
	rows  []Row[T]
}

func (w *batchWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	w.rows = appendRows(w.rows, b)
	return nil
}

// EndBatch implements Batcher.
func (w *batchWriter[T]) EndBatch(_ context.Context, batch int64) error {
	w.batch = batch
	return nil
}

// Prepare implements Committer. The engine writes the records of a batch at its end only: without one there are none.
func (w *batchWriter[T]) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	if w.batch == flow.NoBatch || len(w.rows) == 0 {
		return nil, nil
	}
	w.mu.Lock()
	w.ended = append(w.ended, endedBatch[T]{w.batch, w.rows})
	w.mu.Unlock()
	token := w.tokens.encode(w.batch, w.rows)
	w.rows, w.batch = nil, flow.NoBatch
	return token, nil
}

// Commit implements Committer. The tokens are those of the batches that ended first.
func (w *batchWriter[T]) Commit(ctx context.Context, tokens [][]byte) error {
	for range tokens {
		w.mu.Lock()
		b := w.ended[0]
		w.ended = w.ended[1:]
		w.mu.Unlock()
		if err := w.call(ctx, b.batch, b.rows); err != nil {
			return fmt.Errorf("batch %d: %w", b.batch, err)
		}
	}
	return nil
}

// Flush is not called: the writer commits.
func (w *batchWriter[T]) Flush(context.Context) error { return nil }
func (w *batchWriter[T]) Close() error                { return nil }

// appendRows copies the records of a batch.
func appendRows[T any](rows []Row[T], b *flow.Batch[T]) []Row[T] {
	for i := range b.Records {
		r := &b.Records[i]
		rows = append(rows, Row[T]{b.KindOf(i), r.TimeNS, r.Value})
	}
	return rows
}
