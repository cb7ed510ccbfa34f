//go:build integration

package postgressink

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// BenchmarkEpoch is an epoch of a task, from its records to the answered commit.
func BenchmarkEpoch(b *testing.B) {
	for _, key := range [][]string{nil, {"id"}} {
		for _, n := range []int{10, 2000} {
			b.Run(fmt.Sprintf("key %q/%d rows", key, n), func(b *testing.B) { benchmarkEpoch(b, key, n) })
		}
	}
}

func benchmarkEpoch(b *testing.B, key []string, n int) {
	conn := benchTable(b)
	s := Table[item](Config{URL: realURL(), Table: "bench_items", Key: key, CreateEpochs: true})
	at := sinktest.At(0, 1, 1)
	at.Lineage = fmt.Sprint("bench ", conn.PgConn().PID(), b.Name(), b.N)
	if err := s.Check(b.Context()); err != nil {
		b.Fatal(err)
	}
	w, err := s.writer(at)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	if err := s.Recover(b.Context(), at, nil); err != nil {
		b.Fatal(err)
	}
	batch, epoch := &flow.Batch[item]{}, flow.Epoch(0)
	for b.Loop() {
		batch.Reset()
		for i := range n {
			batch.Records = append(batch.Records, flow.Record[item]{Value: itemOf(int(epoch)*n + i)})
		}
		epoch++
		if err := w.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		token, err := w.Prepare(b.Context(), epoch)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Commit(b.Context(), [][]byte{token}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// benchTable makes an empty table, and one connection.
func benchTable(b *testing.B) *pgx.Conn {
	conn, err := pgx.Connect(b.Context(), realURL())
	if err != nil {
		b.Fatalf("%v; scripts/postgres.sh start", err)
	}
	for _, sql := range []string{"SET client_min_messages = warning", "DROP TABLE IF EXISTS bench_items", "CREATE TABLE bench_items (id bigint PRIMARY KEY, text text)"} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		_, _ = conn.Exec(context.Background(), "DROP TABLE bench_items")
		_ = conn.Close(context.Background())
	})
	return conn
}

// BenchmarkWays are the ways to write 2,000 rows in one transaction: columns as arrays, as the sink does it; a statement for each row, sent
// together; and COPY, which cannot replace rows.
func BenchmarkWays(b *testing.B) {
	const n = 2000
	ways := map[string]func(tx pgx.Tx, from int) error{
		"arrays": func(tx pgx.Tx, from int) error {
			ids, texts := make([]int64, n), make([]string, n)
			for i := range n {
				r := itemOf(from + i)
				ids[i], texts[i] = r.ID, r.Text
			}
			_, err := tx.Exec(b.Context(), "INSERT INTO bench_items SELECT * FROM unnest($1::bigint[], $2::text[])", ids, texts)
			return err
		},
		"statements": func(tx pgx.Tx, from int) error {
			all := &pgx.Batch{}
			for i := range n {
				r := itemOf(from + i)
				all.Queue("INSERT INTO bench_items VALUES ($1, $2)", r.ID, r.Text)
			}
			return tx.SendBatch(b.Context(), all).Close()
		},
		"copy": func(tx pgx.Tx, from int) error {
			_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"bench_items"}, []string{"id", "text"}, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
				r := itemOf(from + i)
				return []any{r.ID, r.Text}, nil
			}))
			return err
		},
	}
	for name, way := range ways {
		b.Run(name, func(b *testing.B) {
			conn, from := benchTable(b), 0
			for b.Loop() {
				tx, err := conn.Begin(b.Context())
				if err == nil {
					err = way(tx, from)
				}
				if err == nil {
					err = tx.Commit(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
				from += n
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
