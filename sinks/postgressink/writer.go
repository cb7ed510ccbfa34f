package postgressink

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// writer is a task's. It keeps the encoded rows of the epoch.
type writer[T any] struct {
	sink    *Sink[T]
	at      sinks.Instance
	columns columns
	codec   rowCodec[T]
	to      *publisher

	rows  []byte // of the epoch that is being written
	count int
	begun bool       // previous is known
	last  flow.Epoch // the newest prepared epoch that has rows
}

// Write implements sinks.Writer.
func (w *writer[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		k := b.KindOf(i)
		deletes := k == flow.Delete || k == flow.UpdateBefore // the row behind an update-before may have another key
		if deletes && len(w.columns.key) == 0 {
			return w.sink.wrap(fmt.Errorf("record of kind %q in a table without a key: set Config.Key, so that it can find its row", k))
		}
		w.rows = w.codec.append(w.rows, &b.Records[i].Value, deletes)
		w.count++
		if most := w.sink.cfg.EpochBytesMax; len(w.rows) > most {
			return w.sink.wrap(fmt.Errorf("the epoch has %d rows in more than %d bytes: let epochs be more frequent (CommitEvery, MaxRecordsPerBatch), or raise EpochBytesMax", w.count, most))
		}
	}
	return nil
}

// Prepare implements sinks.Committer: the token is the rows. One without rows says what the table must hold, so that an epoch that the database
// loses is missed.
func (w *writer[T]) Prepare(_ context.Context, epoch flow.Epoch) ([]byte, error) {
	if !w.begun {
		last, err := w.sink.begins(w.at)
		if err != nil {
			return nil, w.sink.wrap(err)
		}
		w.begun, w.last = true, last
	}
	if epoch <= w.last {
		return nil, w.sink.wrap(fmt.Errorf("epoch %d of task %d is to be published, and the table has epoch %d: %s", epoch, w.at.Task, w.last, older))
	}
	if w.count == 0 && w.last == 0 {
		return nil, nil
	}
	t := w.codec.encode(token{w.at.Lineage, w.at.Attempt, epoch, w.at.Task, w.last, w.count, w.rows})
	if w.count > 0 {
		w.last = epoch
	}
	w.rows, w.count = w.rows[:0], 0
	return t, nil
}

// Commit implements sinks.Committer. It asks the database only for epochs with rows.
func (w *writer[T]) Commit(ctx context.Context, tokens [][]byte) error {
	var all []publication
	for _, t := range tokens {
		x, err := w.publication(t)
		if err != nil {
			return w.sink.wrap(err)
		}
		if x.count > 0 {
			all = append(all, x)
		}
	}
	return w.sink.wrap(w.to.publish(ctx, all))
}

// publication is what a token publishes.
func (w *writer[T]) publication(b []byte) (publication, error) {
	t, err := w.codec.decode(b)
	if err != nil {
		return publication{}, err
	}
	rows, err := w.codec.changes(t)
	if err != nil {
		return publication{}, err
	}
	return publication{t, netted(w.columns, rows)}, nil
}

// Flush is not called: the writer commits.
func (w *writer[T]) Flush(context.Context) error { return nil }

// Close implements sinks.Writer.
func (w *writer[T]) Close() error {
	w.to.close()
	return nil
}
