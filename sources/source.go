// Package sources is where records enter a job: the contract of a source, and the sources that need no server.
package sources

import (
	"context"
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// Source finds splits and makes readers for them. One source value serves all tasks of its operator; the engine calls
// Splits from one goroutine at a time and Open from several.
type Source[T any] interface {
	// Splits returns the splits that are not in known, each with the position where it starts. known is empty at the
	// first start of a lineage, so "latest" is resolved once, before the first record is read. A source that can find
	// splits while running also implements Discoverer and is asked again.
	Splits(ctx context.Context, known []string) ([]flow.Split, error)
	// Open makes the reader of split s, resuming at from. ctx bounds the opening only. A position that is gone is a
	// hard error that names it and the oldest there is.
	Open(ctx context.Context, s flow.Split, from flow.Position) (Reader[T], error)
}

// Reader reads one split. The engine calls Read on an I/O goroutine of its own, never on a task's loop, one call at a
// time; Close after the last Read returned.
type Reader[T any] interface {
	// Read appends at most cap(b.Records) records to the empty b.Records, sets each record's TimeNS, and sets b.Next:
	// resume there to get what follows this batch. It blocks until something arrived, ctx ended, or the split did: then
	// it returns io.EOF, possibly with a last batch. Records that cannot be decoded go to b.Bad and count as read.
	// ErrDisconnected asks the engine to open a new reader at the last position, with back-off; other errors fail the job.
	// Once each time it runs out of records it may return without any, to say so with b.AtEnd; then it blocks.
	Read(ctx context.Context, b *Batch[T]) error
	Close() error
}

// Poller is a Reader that never blocks, such as a generator. A reader that implements it is polled on the task's loop
// and its Read is never called.
type Poller[T any] interface {
	// Poll is Read without waiting: it fills b with what is due at nowNS (Unix nanoseconds) and returns when it wants to
	// be called again: 0 for at once, or a later time. io.EOF ends the split.
	Poll(nowNS int64, b *Batch[T]) (wakeAtNS int64, err error)
}

// Batch is what a reader fills. The engine owns and reuses it; a reader keeps no reference after Read returned.
type Batch[T any] struct {
	Records []flow.Record[T]  // empty on entry; its capacity is the most a reader may add
	Next    flow.Position     // resume here to get what follows; reuse its memory with append(b.Next[:0], …)
	Bad     []flow.DeadLetter // could not be decoded; Operator and Split are filled in by the engine

	// AtEnd says that with this batch the reader has handed over everything there is for now; the batch may hold no record,
	// so that a split that is empty from its start is known to be so. Only then can the split be idle: a reader that lags or
	// is disconnected never says it.
	AtEnd bool
	// WatermarkNS, when HasWatermark is set, is the split's watermark behind this batch, from a source that knows it.
	WatermarkNS  int64
	HasWatermark bool
}

// Reset empties the batch for reuse.
func (b *Batch[T]) Reset() {
	clear(b.Records)
	clear(b.Bad)
	b.Records, b.Bad, b.Next, b.AtEnd = b.Records[:0], b.Bad[:0], b.Next[:0], false
	b.AtEnd, b.WatermarkNS, b.HasWatermark = false, 0, false
}

// Discoverer is a Source whose splits can appear while it runs.
type Discoverer interface {
	// DiscoverEveryNS is the time between two calls of Splits, in nanoseconds; 0 turns discovery off.
	DiscoverEveryNS() int64
}

// EndNoter is a Source that wants to know where splits stand that had ended before a restart. They are not opened again: EndedAt is
// called instead, when the attempt's tasks start.
type EndNoter interface {
	EndedAt(s flow.Split, at flow.Position) error
}

// Timekeeper is a Source whose batches carry watermarks of their own: operators on event time need no EventTime step behind
// it.
type Timekeeper interface{ KeepsTime() }

// ErrDisconnected is returned by Read when the connection broke: the engine opens a new reader at the last position.
var ErrDisconnected = errors.New("source disconnected")

// Checker is a Source that can tell wrong configuration before a record flows: a missing topic, an unreachable broker,
// a file that is not there. Start calls Check once, before any task runs.
type Checker interface {
	Check(ctx context.Context) error
}
