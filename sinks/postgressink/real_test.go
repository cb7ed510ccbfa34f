//go:build integration

package postgressink

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// realURL is a server, which must be running: scripts/postgres.sh start.
func realURL() string {
	if url := os.Getenv("MILLRACE_POSTGRES"); url != "" {
		return url
	}
	return "postgres://millrace@127.0.0.1:54329/millrace?sslmode=disable"
}

var schemas atomic.Int64

// place is a schema of a test's own.
type place struct {
	conn   *pgx.Conn
	schema string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{conn: connectReal(t)}
	p.schema = fmt.Sprint("sink_", p.conn.PgConn().PID(), "_", schemas.Add(1))
	t.Cleanup(func() {
		if _, err := p.conn.Exec(context.Background(), "DROP SCHEMA "+p.schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		_ = p.conn.Close(context.Background())
	})
	p.exec(t, "CREATE SCHEMA "+p.schema)
	p.exec(t, "SET search_path = "+p.schema)
	return p
}

func connectReal(t *testing.T) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(realURL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["client_min_messages"] = "warning"
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v; scripts/postgres.sh start", err)
	}
	return conn
}

func (p *place) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := p.conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (p *place) number(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	if err := p.conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (p *place) config(table string, key ...string) Config {
	return Config{URL: realURL(), Schema: p.schema, Table: table, Key: key, CreateEpochs: true}
}

func (p *place) items(t *testing.T) []item {
	t.Helper()
	rows, err := p.conn.Query(t.Context(), "SELECT id, text FROM items ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[item])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const itemsTable = "CREATE TABLE items (id bigint, text text)"

func TestRealTable(t *testing.T) {
	for name, key := range map[string][]string{"append": nil, "upsert": {"id"}} {
		t.Run(name, func(t *testing.T) {
			sinktest.RunTransactional(t, sinktest.TransactionalCase[item]{
				New: func(t *testing.T) (func() sinks.Sink[item], func(*testing.T, int) []item) {
					p := newPlace(t)
					p.exec(t, itemsTable)
					p.exec(t, "CREATE UNIQUE INDEX ON items (id)")
					cfg := p.config("items", key...)
					return func() sinks.Sink[item] { return Table[item](cfg) }, func(t *testing.T, _ int) []item { return p.items(t) }
				},
				Value: itemOf, Histories: 10,
			})
		})
	}
}

// realPlay is an attempt of one task on a server.
func realPlay(t *testing.T, cfg Config, at sinks.Instance, prepared ...sinks.Prepared) (*played, error) {
	t.Helper()
	s := Table[item](cfg)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := s.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	p := &played{writer: w.(*writer[item]), sink: s, at: at}
	t.Cleanup(func() { _ = p.Close() })
	return p, s.Recover(t.Context(), at, prepared)
}

func wantItems(t *testing.T, got []item, n int) {
	t.Helper()
	want := make([]item, n)
	for i := range want {
		want[i] = itemOf(i)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d rows, want %d, each once: %v", len(got), n, got)
	}
}

// The message of the server reaches the user, and nothing of the epoch is there.
func TestRealConstraint(t *testing.T) {
	p := newPlace(t)
	p.exec(t, "CREATE TABLE items (id bigint CHECK (id < 5), text text)")
	w, err := realPlay(t, p.config("items"), sinktest.At(0, 1, 1))
	fine(t, err)
	wantError(t, w.commit(t, w.epoch(t, 1, 3, 4)), "items_id_check", "23514")
	wantItems(t, p.items(t), 0)
	if n := p.number(t, "SELECT count(*) FROM millrace_epochs"); n != 0 {
		t.Errorf("%d epochs are noted, want none", n)
	}
}

// A row of an epoch that is gone stops the next; rows about epochs say how many changes they brought.
func TestRealGap(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	w, err := realPlay(t, p.config("items"), sinktest.At(0, 1, 1))
	fine(t, err)
	fine(t, w.commit(t, w.epoch(t, 1, 0, 2)))
	fine(t, w.commit(t, w.epoch(t, 2, 2, 3)))
	if n := p.number(t, "SELECT sum(changes) FROM millrace_epochs"); n != 5 {
		t.Errorf("the epochs brought %d changes, want 5", n)
	}
	p.exec(t, "DELETE FROM millrace_epochs WHERE epoch = 2")
	wantError(t, w.commit(t, w.epoch(t, 3, 5, 1)), "epoch 3 of task 0 comes behind epoch 2, and the newest in the table is 1")
	wantItems(t, p.items(t), 5)
}

// Rows about epochs are forgotten when tokens of them cannot be anywhere any more.
func TestRealEpochsAreForgotten(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	w, err := realPlay(t, p.config("items"), sinktest.At(0, 1, 1))
	fine(t, err)
	first := w.epoch(t, 1, 0, 1)
	fine(t, w.commit(t, first))
	p.exec(t, "INSERT INTO millrace_epochs SELECT lineage, operator, task, e, attempt, e-1, 0 FROM millrace_epochs, generate_series(2, 5000) e")
	w, err = realPlay(t, p.config("items"), sinktest.At(0, 1, 2))
	fine(t, err)
	fine(t, w.commit(t, w.epoch(t, 5001, 1, 1)))
	if n := p.number(t, "SELECT min(epoch) FROM millrace_epochs"); n != 5001-epochsKept {
		t.Errorf("the oldest row is of epoch %d, want %d", n, 5001-epochsKept)
	}
	_, err = realPlay(t, p.config("items"), sinktest.At(0, 1, 3), first)
	fine(t, err)
	wantItems(t, p.items(t), 2)
}
