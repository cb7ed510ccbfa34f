package postgressink

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/flow"
)

// scope is whose epochs a transaction is about.
type scope struct{ lineage, operator string }

// taskEpoch names what one Prepare made.
type taskEpoch struct {
	task  int
	epoch flow.Epoch
}

// standing is what the tables say of a lineage's operator.
type standing struct {
	lease    flow.Attempt               // the newest attempt that has recovered, 0 for none
	last     map[int]flow.Epoch         // by task: the newest epoch that is published
	oldest   map[int]flow.Epoch         // by task: the oldest of which there still is a row
	attempts map[taskEpoch]flow.Attempt // of those that were asked for and are published
}

// publication is an epoch of a task, about to be published.
type publication struct {
	token
	changes changes
}

// session is a connection. begin begins a transaction, which write or leave ends; claim and settle are one of their own.
type session interface {
	// begin holds the lease until the end, so that no other attempt can take it, and says how things stand.
	begin(ctx context.Context, of scope, asked []taskEpoch) (standing, error)
	write(ctx context.Context, of scope, all []publication) error
	leave(ctx context.Context) error
	// claim locks the lease, and says who has it and where the tasks stand. settle gives it to an attempt.
	claim(ctx context.Context, of scope) (standing, error)
	settle(ctx context.Context, of scope, to flow.Attempt) error
	close()
}

// epochsKept is for how many epochs a task's rows about them are kept. Tokens stay in records for far fewer.
const epochsKept = 4096

// settings hold for a transaction. A process that was stopped within it must not keep others waiting, and an answered commit must
// outlive a crash of the server.
const settings = `SELECT set_config('idle_in_transaction_session_timeout', '5s', true),
	set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`

const beginning = "BEGIN ISOLATION LEVEL READ COMMITTED"

// postgres is a session on a server.
type postgres struct {
	conn    *pgx.Conn
	table   statements
	leases  string // quoted
	epochs  string
	written int // transactions
}

// openSession connects.
func openSession(cfg Config, cols columns) func(context.Context) (session, error) {
	return func(ctx context.Context) (session, error) {
		conn, err := cfg.connect(ctx)
		if err != nil {
			return nil, err
		}
		s, err := statementsOf(ctx, conn, cfg, cols)
		if err != nil {
			closeConn(conn)
			return nil, err
		}
		return &postgres{conn: conn, table: s, leases: qualified(cfg.EpochSchema, leasesTable), epochs: qualified(cfg.EpochSchema, epochsTable)}, nil
	}
}

func (p *postgres) close() { closeConn(p.conn) }

// lost marks an error after which it is not known what was done.
func lost(conn *pgx.Conn, err error) error {
	if _, answered := databaseError(err); err != nil && !answered && conn.IsClosed() {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// send does all of b in one round trip.
func (p *postgres) send(ctx context.Context, b *pgx.Batch) error {
	return lost(p.conn, p.conn.SendBatch(ctx, b).Close())
}

func (p *postgres) begin(ctx context.Context, of scope, asked []taskEpoch) (standing, error) {
	st := standing{last: map[int]flow.Epoch{}, oldest: map[int]flow.Epoch{}, attempts: map[taskEpoch]flow.Attempt{}}
	tasks, epochs := make([]int64, len(asked)), make([]int64, len(asked))
	for i, a := range asked {
		tasks[i], epochs[i] = int64(a.task), int64(a.epoch)
	}
	b := &pgx.Batch{}
	b.Queue(beginning)
	b.Queue(settings)
	p.lease(b, &st, of, "SHARE") // tasks publish side by side; an attempt that takes the lease waits for them
	b.Queue("SELECT t.task, coalesce((SELECT e.epoch FROM "+p.epochs+" e WHERE e.lineage = $1 AND e.operator = $2 AND e.task = t.task ORDER BY e.epoch DESC LIMIT 1), 0),"+
		" coalesce((SELECT e.epoch FROM "+p.epochs+" e WHERE e.lineage = $1 AND e.operator = $2 AND e.task = t.task ORDER BY e.epoch LIMIT 1), 0)"+
		" FROM (SELECT DISTINCT unnest($3::bigint[])::int AS task) t", of.lineage, of.operator, tasks).Query(func(rows pgx.Rows) error {
		var task int
		var last, oldest flow.Epoch
		_, err := pgx.ForEachRow(rows, []any{&task, &last, &oldest}, func() error {
			st.last[task], st.oldest[task] = last, oldest
			return nil
		})
		return err
	})
	b.Queue("SELECT e.task, e.epoch, e.attempt FROM unnest($3::bigint[], $4::bigint[]) AS a(task, epoch) JOIN "+p.epochs+
		" e ON e.lineage = $1 AND e.operator = $2 AND e.task = a.task AND e.epoch = a.epoch", of.lineage, of.operator, tasks, epochs).Query(func(rows pgx.Rows) error {
		var at taskEpoch
		var attempt int64
		_, err := pgx.ForEachRow(rows, []any{&at.task, &at.epoch, &attempt}, func() error {
			st.attempts[at] = flow.Attempt(attempt)
			return nil
		})
		return err
	})
	return st, p.send(ctx, b)
}

// lease reads who has the lease, and holds it.
func (p *postgres) lease(b *pgx.Batch, st *standing, of scope, lock string) {
	b.Queue("SELECT attempt FROM "+p.leases+" WHERE lineage = $1 AND operator = $2 FOR "+lock, of.lineage, of.operator).Query(func(rows pgx.Rows) error {
		var attempt int64
		_, err := pgx.ForEachRow(rows, []any{&attempt}, func() error {
			st.lease = flow.Attempt(attempt)
			return nil
		})
		return err
	})
}

func (p *postgres) write(ctx context.Context, of scope, all []publication) error {
	b := &pgx.Batch{}
	for _, x := range all {
		b.Queue("INSERT INTO "+p.epochs+" (lineage, operator, task, epoch, attempt, previous, changes) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			of.lineage, of.operator, x.task, int64(x.epoch), int64(x.attempt), int64(x.previous), x.count)
		p.table.queue(b, x.changes)
	}
	if p.written%256 == 0 {
		x := all[len(all)-1]
		b.Queue("DELETE FROM "+p.epochs+" WHERE lineage = $1 AND operator = $2 AND task = $3 AND epoch < $4", of.lineage, of.operator, x.task, int64(x.epoch)-epochsKept)
	}
	p.written++
	b.Queue("COMMIT")
	return p.send(ctx, b)
}

func (p *postgres) leave(ctx context.Context) error {
	_, err := p.conn.Exec(ctx, "ROLLBACK")
	return lost(p.conn, err)
}

func (p *postgres) claim(ctx context.Context, of scope) (standing, error) {
	st := standing{last: map[int]flow.Epoch{}}
	b := &pgx.Batch{}
	b.Queue(beginning)
	b.Queue(settings)
	b.Queue("INSERT INTO "+p.leases+" (lineage, operator, attempt) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", of.lineage, of.operator)
	p.lease(b, &st, of, "UPDATE")
	b.Queue("SELECT task, max(epoch) FROM "+p.epochs+" WHERE lineage = $1 AND operator = $2 GROUP BY task", of.lineage, of.operator).Query(func(rows pgx.Rows) error {
		var task int
		var last flow.Epoch
		_, err := pgx.ForEachRow(rows, []any{&task, &last}, func() error {
			st.last[task] = last
			return nil
		})
		return err
	})
	return st, p.send(ctx, b)
}

func (p *postgres) settle(ctx context.Context, of scope, to flow.Attempt) error {
	b := &pgx.Batch{}
	b.Queue("UPDATE "+p.leases+" SET attempt = $3 WHERE lineage = $1 AND operator = $2", of.lineage, of.operator, int64(to))
	b.Queue("COMMIT")
	return p.send(ctx, b)
}
