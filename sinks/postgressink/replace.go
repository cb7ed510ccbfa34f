package postgressink

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Replace is a function for sinks.ForEachBatch that makes the rows of each batch the whole of a table: one transaction deletes what was
// there, writes the rows, and a row about the batch in the table millrace_batches. A batch that is found there is not done again, so that each is
// done exactly once. Readers see one batch or the next, never a mixture.
//
// name tells the batches of one job from those of others. Numbers begin anew with a new state directory: then the job needs another name, and
// it is refused under the old one. Each call has a connection of its own.
func Replace[T any](cfg Config, name string) func(ctx context.Context, batch int64, rows []sinks.Row[T]) error {
	cfg = cfg.withDefaults()
	return func(ctx context.Context, batch int64, rows []sinks.Row[T]) error {
		if err := replace(ctx, cfg, name, batch, rows); err != nil {
			return fmt.Errorf("postgres table %s, batch %d of %q: %w", cfg.table(), batch, name, err)
		}
		return nil
	}
}

// batchesKept is how many batches of a name are remembered.
const batchesKept = 1024

// batch is a table to be written.
type batch struct {
	name    string
	number  int64
	digest  []byte
	content changes
}

func replace[T any](ctx context.Context, cfg Config, name string, number int64, rows []sinks.Row[T]) error {
	if name == "" {
		return errors.New("the batches have no name, by which they are known again")
	}
	if err := cfg.validate(); err != nil {
		return err
	}
	cols, err := columnsOf[T](cfg.Key)
	if err != nil {
		return err
	}
	c, err := rowCodecOf[T]()
	if err != nil {
		return err
	}
	var all []change[T]
	var encoded []byte
	for i := range rows {
		if k := rows[i].Kind; k == flow.Delete || k == flow.UpdateBefore {
			continue // a table that has become empty is one deletion
		}
		all = append(all, change[T]{row: rows[i].Value})
		encoded = c.append(encoded, &rows[i].Value, false)
	}
	digest := sha256.Sum256(encoded)
	b := batch{name, number, digest[:], netted(cols, all)}
	r := retrier[*replacing]{cfg: cfg, open: func(ctx context.Context) (*replacing, error) {
		return openReplacing(ctx, cfg, cols)
	}}
	defer r.close()
	return r.do(ctx, func(ctx context.Context, s *replacing) error { return s.replace(ctx, b) })
}

// replacing is a connection for batches.
type replacing struct {
	conn    *pgx.Conn
	rows    statements
	table   string
	batches string
}

func openReplacing(ctx context.Context, cfg Config, cols columns) (*replacing, error) {
	conn, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	s, err := statementsOf(ctx, conn, cfg, cols)
	if err = errors.Join(err, cfg.epochTables(ctx, conn, []string{batchesTable})); err != nil {
		err = lost(conn, err)
		closeConn(conn)
		return nil, err
	}
	return &replacing{conn, s, cfg.table(), qualified(cfg.EpochSchema, batchesTable)}, nil
}

func (r *replacing) close() { closeConn(r.conn) }

// replace is one transaction.
func (r *replacing) replace(ctx context.Context, b batch) error {
	done, err := r.begin(ctx, b)
	if err != nil || done {
		return err
	}
	todo := &pgx.Batch{}
	todo.Queue("INSERT INTO "+r.batches+" (name, batch, digest) VALUES ($1, $2, $3)", b.name, b.number, b.digest)
	todo.Queue("DELETE FROM " + r.table)
	r.rows.queue(todo, b.content)
	todo.Queue("DELETE FROM "+r.batches+" WHERE name = $1 AND batch < $2", b.name, b.number-batchesKept)
	todo.Queue("COMMIT")
	return lost(r.conn, r.conn.SendBatch(ctx, todo).Close())
}

// begin begins the transaction and says whether the batch was done. Only one transaction of a name is there at a time.
func (r *replacing) begin(ctx context.Context, b batch) (done bool, err error) {
	last := int64(-1)
	var digest []byte
	ask := &pgx.Batch{}
	ask.Queue(beginning)
	ask.Queue(settings)
	ask.Queue("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "millrace batches "+b.name)
	ask.Queue("SELECT coalesce(max(batch), -1) FROM "+r.batches+" WHERE name = $1", b.name).QueryRow(func(row pgx.Row) error { return row.Scan(&last) })
	ask.Queue("SELECT digest FROM "+r.batches+" WHERE name = $1 AND batch = $2", b.name, b.number).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&digest)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err := r.conn.SendBatch(ctx, ask).Close(); err != nil {
		return false, lost(r.conn, err)
	}
	switch {
	case digest != nil && string(digest) == string(b.digest):
		_, err := r.conn.Exec(ctx, "ROLLBACK")
		return true, lost(r.conn, err)
	case digest != nil:
		return false, errors.New("the table has a batch of this name and number with other rows: the job was started anew; give it another name")
	case last >= b.number:
		return false, fmt.Errorf("the table has batch %d already: the job was started anew, or from an older checkpoint; give it another name", last)
	}
	return false, nil
}
