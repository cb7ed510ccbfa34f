package sinks

import (
	"context"

	"github.com/millrace-io/millrace/flow"
)

// Discard is a sink that keeps nothing.
func Discard[T any]() Sink[T] { return discard[T]{} }

type discard[T any] struct{}

func (discard[T]) Open(context.Context, Instance) (Writer[T], error) { return discard[T]{}, nil }
func (discard[T]) Write(context.Context, *flow.Batch[T]) error       { return nil }
func (discard[T]) Flush(context.Context) error                       { return nil }
func (discard[T]) Close() error                                      { return nil }
func (discard[T]) Inline()                                           {}
