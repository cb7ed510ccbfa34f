package sinks

import (
	"context"
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// ForEachBatch is a sink that gives f the records of each batch in one call for the whole job, in order and with their kinds; rows
// are f's to keep. A batch without records is not called. In complete mode the rows are the whole table, or one deletion when
// it has become empty.
//
// The engine keeps the rows in its state until the batch ends, so memory and state hold a batch. f runs on an I/O goroutine and may wait
// until ctx ends; an error fails the attempt. What f did must be safe when it returns.
//
// The number counts from 0, also over restarts; the call is before the epoch that ends the batch is recorded, so a crash between the
// two calls f again with the same number. Under a micro-batch trigger the input of a batch is recorded before it is read: the
// rows are the same again when the job's functions are deterministic. In real-time mode a batch is what an interval brought, and
// may be another after a crash.
func ForEachBatch[T any](f func(ctx context.Context, batch int64, rows []Row[T]) error) Sink[T] {
	return forEachBatch[T](f)
}

type forEachBatch[T any] func(ctx context.Context, batch int64, rows []Row[T]) error

func (f forEachBatch[T]) Check(context.Context) error {
	if f == nil {
		return errors.New("foreach batch: function is nil")
	}
	return nil
}

func (f forEachBatch[T]) Guarantee() string { return "at-least-once" }

// KeepsBatches implements BatchKeeper.
func (f forEachBatch[T]) KeepsBatches() {}

func (f forEachBatch[T]) Open(context.Context, Instance) (Writer[T], error) {
	return &batchWriter[T]{call: f}, nil
}

type batchWriter[T any] struct {
	call forEachBatch[T]
	rows []Row[T]
}

func (w *batchWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	w.rows = appendRows(w.rows, b)
	return nil
}

func (w *batchWriter[T]) EndBatch(ctx context.Context, batch int64) error {
	rows := w.rows
	if w.rows = nil; len(rows) == 0 {
		return nil
	}
	return w.call(ctx, batch, rows)
}

// Flush has nothing to do: the engine gives the records of a batch at its end only.
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
