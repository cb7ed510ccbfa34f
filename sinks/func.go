package sinks

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// Func is a sink that gives each batch to f, on an I/O goroutine of each task; f may wait until ctx ends. The batch is
// valid during the call only. What f did is safe when it returned: there is nothing left to flush. After a failure the
// records since the last epoch come again.
func Func[T any](f func(ctx context.Context, b *flow.Batch[T]) error) Sink[T] { return function[T](f) }

// Each is a sink that gives each record's value to f, in order, on an I/O goroutine of each task. It takes appended
// records only: a record that changes or deletes another one is an error, since f could not tell.
func Each[T any](f func(v T) error) Sink[T] {
	if f == nil {
		return function[T](nil)
	}
	return function[T](func(_ context.Context, b *flow.Batch[T]) error {
		for i := range b.Records {
			if k := b.KindOf(i); k != flow.Insert {
				return fmt.Errorf("each: record of kind %q in a function for values only: use sinks.Func, which sees the kinds", k)
			}
			if err := f(b.Records[i].Value); err != nil {
				return err
			}
		}
		return nil
	})
}

type function[T any] func(ctx context.Context, b *flow.Batch[T]) error

func (f function[T]) Check(context.Context) error {
	if f == nil {
		return errors.New("function sink: function is nil")
	}
	return nil
}

func (f function[T]) Guarantee() string { return "at-least-once" }

func (f function[T]) Open(context.Context, Instance) (Writer[T], error) { return f, nil }
func (f function[T]) Write(ctx context.Context, b *flow.Batch[T]) error { return f(ctx, b) }
func (f function[T]) Flush(context.Context) error                       { return nil }
func (f function[T]) Close() error                                      { return nil }
