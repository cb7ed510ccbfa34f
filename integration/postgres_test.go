//go:build integration

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// database is a schema of a test's own on the PostgreSQL of scripts/postgres.sh.
type database struct {
	conn   *pgx.Conn
	schema string
}

const postgresURL = "postgres://millrace@127.0.0.1:54329/millrace?sslmode=disable"

func newDatabase(t *testing.T) *database {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), postgresURL)
	if err != nil {
		t.Fatalf("%v; scripts/postgres.sh start", err)
	}
	d := &database{conn, fmt.Sprint("whole_", conn.PgConn().PID())}
	t.Cleanup(func() {
		if _, err := conn.Exec(context.Background(), "DROP SCHEMA "+d.schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(context.Background())
	})
	d.exec(t, "CREATE SCHEMA "+d.schema)
	d.exec(t, "SET search_path = "+d.schema)
	return d
}

func (d *database) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := d.conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (d *database) number(t *testing.T, sql string) (n int64) {
	t.Helper()
	if err := d.conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// until asks until the answer is at least n.
func (d *database) until(t *testing.T, p *process, sql string, n int64) {
	t.Helper()
	for d.number(t, sql) < n {
		select {
		case <-p.ended:
			t.Fatalf("the job has ended: %v: %s", p.err, p.stderr.String())
		default:
		}
	}
}

func (d *database) args(topology, state, table string, more ...string) []string {
	return append([]string{
		"run", topology, "--quiet", "--state-dir", state, "--parallelism", "2", "--checkpoint-interval", "200ms",
		"--postgres", postgresURL, "--postgres-create", "--postgres-table", d.schema + "." + table,
	}, more...)
}

const invoicesTable = `CREATE TABLE invoices ("order" bigint PRIMARY KEY, customer text, articles bigint, cents bigint)`

// Whenever the process is killed, each epoch is in the table once: its rows are as many as the epochs say, and none is missing.
func TestPostgresEpochsAndKills(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, invoicesTable)
	state := filepath.Join(t.TempDir(), "state")
	args := d.args("invoices-postgres", state, "invoices", "--through", "epochs", "--commit-every", "20ms", "--records", "40000", "--rate", "8000")
	for i := range int64(4) {
		p := start(t, nil, nil, args...)
		d.until(t, p, "SELECT count(*) FROM pg_tables WHERE tablename = 'millrace_epochs' AND schemaname = '"+d.schema+"'", 1)
		d.until(t, p, "SELECT coalesce(sum(changes), 0) FROM millrace_epochs", 3000*(i+1))
		p.kill(t)
		if rows, changes := d.number(t, "SELECT count(*) FROM invoices"), d.number(t, "SELECT sum(changes) FROM millrace_epochs"); rows != changes {
			t.Fatalf("after kill %d: %d rows, and the epochs brought %d", i+1, rows, changes)
		}
	}
	p := start(t, nil, nil, args...)
	if <-p.ended; p.err != nil {
		t.Fatalf("%v: %s", p.err, p.stderr.String())
	}
	rows, changes, last := d.number(t, "SELECT count(*) FROM invoices"), d.number(t, "SELECT sum(changes) FROM millrace_epochs"), d.number(t, `SELECT max("order") FROM invoices`)
	if rows != 40000 || changes != 40000 || last != 39999 {
		t.Errorf("%d rows by %d changes, the last is %d; want 40000, each once", rows, changes, last)
	}
}

// A row that the server refuses fails the job with its message; what came before is there, and the next run loses nothing.
func TestPostgresForEachFails(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, strings.Replace(invoicesTable, "bigint PRIMARY", `bigint CONSTRAINT early CHECK ("order" < 700) PRIMARY`, 1))
	state := filepath.Join(t.TempDir(), "state")
	args := d.args("invoices-postgres", state, "invoices", "--records", "2000", "--rate", "2000")
	p := start(t, nil, nil, args...)
	if <-p.ended; p.err == nil || !strings.Contains(p.stderr.String(), `violates check constraint "early"`) {
		t.Fatalf("error %v and %q, want the server's message", p.err, p.stderr.String())
	}
	if n := d.number(t, "SELECT count(*) FROM invoices"); n == 0 || n > 700 {
		t.Errorf("%d rows, want those before the one that was refused, as far as their epochs closed", n)
	}
	d.exec(t, "ALTER TABLE invoices DROP CONSTRAINT early")
	p = start(t, nil, nil, args...)
	if <-p.ended; p.err != nil {
		t.Fatalf("%v: %s", p.err, p.stderr.String())
	}
	if n := d.number(t, "SELECT count(*) FROM invoices"); n != 2000 {
		t.Errorf("%d rows, want 2000", n)
	}
}

// Each batch replaces the table once, also when the process is killed between: the last one is the counts of all words.
func TestPostgresBatchesAndKills(t *testing.T) {
	d := newDatabase(t)
	d.exec(t, "CREATE TABLE counts (key text, value bigint)")
	state := filepath.Join(t.TempDir(), "state")
	args := d.args("word-count-postgres", state, "counts", "--trigger", "every=20ms", "--max-records-per-batch", "40", "--records", "3000", "--rate", "1000")
	table := "SELECT count(*) FROM pg_tables WHERE tablename = 'millrace_batches' AND schemaname = '" + d.schema + "'"
	for i := range int64(3) {
		p := start(t, nil, nil, args...)
		d.until(t, p, table, 1)
		d.until(t, p, "SELECT coalesce(max(batch), -1) FROM millrace_batches", 4*(i+1))
		p.kill(t)
		if words, value := d.number(t, "SELECT count(*) FROM counts"), d.number(t, "SELECT sum(value) FROM counts"); words == 0 || value%8 != 0 {
			t.Fatalf("after kill %d: %d words with %d counts, want those of whole lines", i+1, words, value)
		}
	}
	p := start(t, nil, nil, args...)
	if <-p.ended; p.err != nil {
		t.Fatalf("%v: %s", p.err, p.stderr.String())
	}
	if n := d.number(t, "SELECT sum(value) FROM counts"); n != 3000*8 {
		t.Errorf("%d words are counted, want %d", n, 3000*8)
	}
	if twice := d.number(t, "SELECT count(*) - count(DISTINCT key) FROM counts"); twice != 0 {
		t.Errorf("%d words stand in the table twice", twice)
	}
}
