//go:build integration

package postgressink

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// publishRows writes rows by a sink of their own as one epoch.
func publishRows[T any](t *testing.T, cfg Config, rows ...T) error {
	t.Helper()
	s, at := Table[T](cfg), sinktest.At(0, 1, 1)
	if err := s.Check(t.Context()); err != nil {
		return err
	}
	w, err := s.Open(t.Context(), at)
	fine(t, err)
	defer w.Close()
	fine(t, s.Recover(t.Context(), at, nil))
	b := &flow.Batch[T]{}
	for _, r := range rows {
		b.Records = append(b.Records, flow.Record[T]{Value: r})
	}
	fine(t, w.Write(t.Context(), b))
	token, err := w.(sinks.Committer).Prepare(t.Context(), 1)
	fine(t, err)
	return w.(sinks.Committer).Commit(t.Context(), [][]byte{token})
}

type mood string

type part struct {
	Name string `json:"name"`
}

type zoo struct {
	Small   int16
	Whole   int32
	Long    int64
	Float   float64
	Yes     bool
	Text    string
	Bytes   []byte
	At      time.Time
	Local   time.Time
	Maybe   *int64
	None    *string
	Doc     part
	Money   string
	Mood    mood
	Letters string
	Unique  string
}

// Go's types reach the server's columns as what they are, enums and documents too.
func TestRealTypes(t *testing.T) {
	p := newPlace(t)
	p.exec(t, "CREATE TYPE "+p.schema+`."odd mood" AS ENUM ('glad', 'sad')`)
	p.exec(t, `CREATE TABLE zoo (small smallint, whole int, long bigint, float float8, yes bool, text text, bytes bytea, at timestamptz, local timestamp,
		maybe bigint, none text, doc jsonb, money numeric(10,2), mood "odd mood", letters varchar(5), "unique" uuid, later bigint DEFAULT 7)`)
	n := int64(math.MinInt64)
	at := time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)
	row := zoo{
		1, 2, math.MaxInt64, 0.1, true, "a\"'\\ü\n",
		[]byte{0, 255},
		at, at, &n, nil,
		part{"x"},
		"12.34", "sad", "12345",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
	}
	fine(t, publishRows(t, p.config("zoo"), row, row))
	var got string
	fine(t, p.conn.QueryRow(t.Context(), "SELECT json_agg(z ORDER BY ctid)::text FROM zoo z WHERE at = $1 AND local = $2 AND bytes = $3", at, at, row.Bytes).Scan(&got))
	var all []map[string]any
	fine(t, json.Unmarshal([]byte(got), &all))
	if len(all) != 2 {
		t.Fatalf("%d rows, want 2 with those times and bytes: %s", len(all), got)
	}
	for name, want := range map[string]string{
		"small": "1", "whole": "2", "float": "0.1", "yes": "true", "text": row.Text, "none": "<nil>", "doc": "map[name:x]", "money": "12.34", "mood": "sad",
		"letters": "12345", "unique": row.Unique, "later": "7",
	} {
		if got := fmt.Sprint(all[1][name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := p.number(t, "SELECT count(*) FROM zoo WHERE long = 9223372036854775807 AND maybe = -9223372036854775808"); got != 2 {
		t.Error("the limits of integers are not what was written")
	}
	row.Letters = "123456"
	wantError(t, publishRows(t, withTable(t, p, "zoo2", "zoo"), row), "too long")
	row.Letters, row.Mood = "", "angry"
	wantError(t, publishRows(t, withTable(t, p, "zoo3", "zoo"), row), "invalid input value for enum")
}

// withTable is the configuration of a copy of a table, with epochs of its own.
func withTable(t *testing.T, p *place, name, like string) Config {
	p.exec(t, "CREATE TABLE "+name+" (LIKE "+like+")")
	p.exec(t, "TRUNCATE millrace_epochs, millrace_leases")
	return p.config(name)
}

func TestRealTablesAreChecked(t *testing.T) {
	type tags struct {
		ID   int64
		Tags []string
	}
	p := newPlace(t)
	p.exec(t, "CREATE TABLE items (id bigint, words text)")
	p.exec(t, "CREATE TABLE tags (id bigint, tags text[])")
	p.exec(t, itemsTable[:len("CREATE TABLE ")]+"two (id bigint, text text)")
	p.exec(t, "CREATE UNIQUE INDEX ON two (id) WHERE id > 5")
	p.exec(t, "CREATE INDEX ON two (id)")
	p.exec(t, "CREATE UNIQUE INDEX ON two (id, text)")
	cfg := p.config("items")
	cfg.CreateEpochs = false
	wantError(t, Table[item](cfg).Check(t.Context()), `["millrace_leases" "millrace_epochs"] are missing: set Config.CreateEpochs`, "CREATE TABLE IF NOT EXISTS", `has no column "text"`)
	wantError(t, Table[item](p.config("gone")).Check(t.Context()), "there is no table", `"gone"`)
	wantError(t, Table[tags](p.config("tags")).Check(t.Context()), `column "tags" is of type text[]: arrays and rows cannot be written`)
	wantError(t, Table[item](p.config("two", "id")).Check(t.Context()), `has no unique index on ["id"]`)
	fine(t, Table[item](p.config("two", "text", "id")).Check(t.Context()))
}

// odd are names that would be SQL if they were not quoted.
var odd = []string{
	`a"b`, `"`, `""`, `x; DROP TABLE canary; --`, `x"; DROP TABLE canary; --`, `select`, `a.b`, `'quoted'`, `a\b`, `$1`, `with space`, `%s`, `ünï cödé 表`, `UPPER`, `/*`, `--`,
	`"); DROP TABLE canary; --`, "line\nbreak", `::text`, `E'\x27'`, strings.Repeat("n", 63),
}

type oddRow struct {
	A int64  `db:"x\"; DROP TABLE canary; --"`
	B string `db:"select"`
	C string `db:"$1 \\ 'a' ); DELETE FROM canary; --"`
}

// Names of schemas, tables and columns, and texts, are never taken for SQL.
func TestRealInjection(t *testing.T) {
	p := newPlace(t)
	p.exec(t, "CREATE TABLE canary (alive bool)")
	p.exec(t, "INSERT INTO canary VALUES (true)")
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	for i, name := range odd {
		own := quote(p.schema)
		p.exec(t, fmt.Sprintf("CREATE TABLE %s.%s (%s bigint UNIQUE, %s text, %s text)", own, quote(name),
			quote(`x"; DROP TABLE canary; --`), quote("select"), quote(`$1 \ 'a' ); DELETE FROM canary; --`)))
		cfg := p.config(name, `x"; DROP TABLE canary; --`)
		rows := []oddRow{{int64(i), name, strings.Join(odd, " ")}, {int64(i), "again " + name, "'; DROP TABLE canary; --"}, {-1, "other", ""}}
		p.exec(t, "DROP TABLE IF EXISTS millrace_epochs, millrace_leases, millrace_batches")
		fine(t, publishRows(t, cfg, rows...))
		if n := p.number(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE \"select\" = $1", quote(name)), "again "+name); n != 1 {
			t.Errorf("table %q: %d rows of its name, want 1", name, n)
		}
		if err := Replace[oddRow](cfg, name)(t.Context(), 0, []sinks.Row[oddRow]{{Value: rows[0]}}); err != nil {
			t.Errorf("table %q: %v", name, err)
		}
		if n := p.number(t, "SELECT count(*) FROM "+quote(name)); n != 1 {
			t.Errorf("table %q: %d rows, want the one of the batch", name, n)
		}
	}
	if n := p.number(t, "SELECT count(*) FROM canary"); n != 1 {
		t.Errorf("the canary has %d rows, want 1", n)
	}
	schema := `s"; DROP TABLE canary; --`
	p.exec(t, "CREATE SCHEMA "+quote(schema))
	defer p.exec(t, "DROP SCHEMA "+quote(schema)+" CASCADE")
	p.exec(t, "CREATE TABLE "+quote(schema)+".items (id bigint, text text)")
	cfg := p.config("items")
	cfg.Schema = schema
	fine(t, publishRows(t, cfg, itemOf(1)))
	if n := p.number(t, "SELECT count(*) FROM "+quote(schema)+".millrace_epochs"); n != 1 {
		t.Errorf("%d epochs in the schema of the table, want 1", n)
	}
	p.number(t, "SELECT count(*) FROM canary")
}

type reading struct {
	Place string
	At    time.Time
	Value int64
}

// Any changes of keyed rows leave the table that the changes say, whatever of them is in one epoch.
func TestRealUpserts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	p := newPlace(t)
	p.exec(t, "CREATE TABLE readings (place text, at timestamptz, value bigint, PRIMARY KEY (at, place))")
	s, at := Table[reading](p.config("readings", "place", "at")), sinktest.At(0, 1, 1)
	fine(t, s.Check(t.Context()))
	w, err := s.Open(t.Context(), at)
	fine(t, err)
	defer w.Close()
	fine(t, s.Recover(t.Context(), at, nil))
	want := map[string]int64{}
	for e := flow.Epoch(1); e <= 60; e++ {
		b := &flow.Batch[reading]{}
		for range rng.IntN(20) {
			r := reading{fmt.Sprint("place ", rng.IntN(3)), time.Unix(0, rng.Int64N(4000)), rng.Int64()} // some within a microsecond
			kind := []flow.Kind{flow.Insert, flow.Insert, flow.UpdateAfter, flow.UpdateBefore, flow.Delete}[rng.IntN(5)]
			b.Records, b.Kinds = append(b.Records, flow.Record[reading]{Value: r}), append(b.Kinds, kind)
			key := fmt.Sprint(r.Place, " ", r.At.UnixMicro())
			if want[key] = r.Value; kind == flow.Delete || kind == flow.UpdateBefore {
				delete(want, key)
			}
		}
		fine(t, w.Write(t.Context(), b))
		token, err := w.(sinks.Committer).Prepare(t.Context(), e)
		fine(t, err)
		if token != nil {
			fine(t, w.(sinks.Committer).Commit(t.Context(), [][]byte{token}))
		}
	}
	got := map[string]int64{}
	rows, err := p.conn.Query(t.Context(), "SELECT place, at, value FROM readings")
	fine(t, err)
	for rows.Next() {
		var r reading
		fine(t, rows.Scan(&r.Place, &r.At, &r.Value))
		got[fmt.Sprint(r.Place, " ", r.At.UnixMicro())] = r.Value
	}
	if !maps.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d rows, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
}
