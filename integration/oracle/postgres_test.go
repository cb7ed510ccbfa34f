//go:build integration

package oracle_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresAt is where scripts/postgres.sh has it.
const postgresAt = "host=127.0.0.1 port=54329 user=millrace dbname=millrace sslmode=disable connect_timeout=10"

func init() { databases["PostgreSQL"] = openPostgres }

// postgres is a connection with a schema of its own.
type postgres struct{ db *pgconn.PgConn }

var schemas atomic.Int64

func openPostgres(t *testing.T) database {
	db, err := pgconn.Connect(t.Context(), postgresAt)
	if err != nil {
		t.Fatalf("%v; scripts/postgres.sh start", err)
	}
	p, own := postgres{db}, fmt.Sprint("oracle_", db.PID(), "_", schemas.Add(1))
	t.Cleanup(func() {
		if _, err := p.run("DROP SCHEMA " + own + " CASCADE"); err != nil {
			t.Error(err)
		}
		_ = db.Close(context.Background())
	})
	if _, err := p.run("SET client_min_messages = error; CREATE SCHEMA " + own + "; SET search_path = " + own); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p postgres) run(statements string) (rows [][]string, err error) {
	results, err := p.db.Exec(context.Background(), statements).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		rows = nil // of the last statement
		for _, values := range r.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = string(v)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}
