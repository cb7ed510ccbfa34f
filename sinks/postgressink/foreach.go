package postgressink

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// ForEach makes the object of sinks.ForEach that writes each record to a table as Table does, and publishes when its epoch closes: one
// transaction for each epoch and task, begun by its first record. An error of the server rolls it back and fails the attempt with the server's message;
// the records come again. That is at-least-once, and with Config.Key what comes again changes nothing.
func ForEach[T any](cfg Config) func() sinks.ForEachWriter[T] {
	cfg = cfg.withDefaults()
	return func() sinks.ForEachWriter[T] { return &forEach[T]{cfg: cfg} }
}

// forEach is a task's. Rows go to the server many at a time.
type forEach[T any] struct {
	cfg     Config
	columns columns
	conn    *pgx.Conn // nil: none is open
	table   statements
	held    []change[T]
}

// heldMax is how many rows wait for each other.
const heldMax = 1000

func (f *forEach[T]) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("postgres table %s: %w", f.cfg.table(), err)
}

// Open implements sinks.ForEachWriter: it begins a transaction.
func (f *forEach[T]) Open(ctx context.Context, _ int, _ int64) (bool, error) {
	if f.conn != nil && f.conn.IsClosed() {
		f.conn = nil
	}
	if f.conn == nil {
		if err := f.connect(ctx); err != nil {
			return false, f.wrap(err)
		}
	}
	f.held = f.held[:0]
	_, err := f.conn.Exec(ctx, beginning)
	return err == nil, f.wrap(err)
}

func (f *forEach[T]) connect(ctx context.Context) (err error) {
	if err := f.cfg.validate(); err != nil {
		return err
	}
	if f.columns, err = columnsOf[T](f.cfg.Key); err != nil {
		return err
	}
	conn, err := f.cfg.connect(ctx)
	if err != nil {
		return err
	}
	if f.table, err = statementsOf(ctx, conn, f.cfg, f.columns); err != nil {
		closeConn(conn)
		return err
	}
	f.conn = conn
	return nil
}

// Process implements sinks.ForEachWriter.
func (f *forEach[T]) Process(ctx context.Context, r sinks.Row[T]) error {
	deletes := r.Kind == flow.Delete || r.Kind == flow.UpdateBefore
	if deletes && len(f.columns.key) == 0 {
		return f.wrap(fmt.Errorf("record of kind %q in a table without a key: set Config.Key, so that it can find its row", r.Kind))
	}
	f.held = append(f.held, change[T]{r.Value, deletes})
	if len(f.held) < heldMax {
		return nil
	}
	b := &pgx.Batch{}
	f.give(b)
	return f.wrap(f.conn.SendBatch(ctx, b).Close())
}

// give adds what is held to b.
func (f *forEach[T]) give(b *pgx.Batch) {
	f.table.queue(b, netted(f.columns, f.held))
	clear(f.held)
	f.held = f.held[:0]
}

// Close implements sinks.ForEachWriter: it commits, or rolls back when there is a cause.
func (f *forEach[T]) Close(ctx context.Context, cause error) (err error) {
	if cause != nil {
		_, err = f.conn.Exec(ctx, "ROLLBACK")
	} else {
		b := &pgx.Batch{}
		f.give(b)
		b.Queue("COMMIT")
		err = f.conn.SendBatch(ctx, b).Close()
	}
	if err != nil { // the transaction ends with its connection
		_ = f.Release()
	}
	return f.wrap(err)
}

// Release implements sinks.Releaser.
func (f *forEach[T]) Release() error {
	if f.conn != nil {
		closeConn(f.conn)
		f.conn = nil
	}
	return nil
}
