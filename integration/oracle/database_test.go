package oracle_test

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the database of plain go test
)

// database is something that understands SQL. What a statement returns has its columns as text.
type database interface {
	run(statements string) (rows [][]string, err error)
}

// databases are all that answer; files behind the tag integration add to them.
var databases = map[string]func(*testing.T) database{"SQLite": openSQLite}

type sqlite struct{ db *sql.DB }

func openSQLite(t *testing.T) database {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // another connection would be another database
	t.Cleanup(func() { db.Close() })
	return sqlite{db}
}

func (s sqlite) run(statements string) ([][]string, error) {
	rows, err := s.db.Query(statements)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var all [][]string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i := range values {
			row[i] = values[i].String
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// schema is what all databases have: the records as they came, and those that were in time.
const schema = `
CREATE TABLE rec (side BIGINT, arrival BIGINT, key TEXT, n BIGINT, v BIGINT, ts BIGINT, wm BIGINT, came BIGINT, late BIGINT, closed BIGINT);
CREATE INDEX rec_of_key ON rec (key, side, ts);
CREATE TABLE zone (since BIGINT, until BIGINT, shift BIGINT);
CREATE TABLE member (key TEXT, start BIGINT, stop BIGINT, arrival BIGINT, n BIGINT, v BIGINT);
CREATE VIEW l AS SELECT * FROM rec WHERE side = 0 AND late = 0;
CREATE VIEW r AS SELECT * FROM rec WHERE side = 1 AND late = 0;`

// asking is a database with the records of a batch in it.
type asking struct {
	t      *testing.T
	name   string
	db     database
	params *strings.Replacer
}

// load replaces what a database has by these records.
func (a *asking) load(b *batch, all []arrival) {
	a.t.Helper()
	var text strings.Builder
	text.WriteString("DELETE FROM member; DELETE FROM rec;")
	for i, x := range all {
		if text.WriteString(","); i == 0 {
			text.WriteString("INSERT INTO rec VALUES ")
		}
		late := 0
		if x.late {
			late = 1
		}
		fmt.Fprintf(&text, "(%d,%d,'%s',%d,%d,%d,%d,%d,%d,%d)", x.side, i, x.rec.Key, x.rec.N, x.rec.V, x.rec.TS, x.wm, x.cameMS, late, x.closed)
	}
	var pairs []string
	for name, value := range b.params {
		if name == "place" {
			pairs = append(pairs, ":place", "'"+places[value]+"'")
			continue
		}
		pairs = append(pairs, ":"+name, strconv.FormatInt(value, 10))
	}
	a.params = strings.NewReplacer(pairs...)
	a.query(strings.Replace(text.String(), ",INSERT", "INSERT", 1))
	if _, ok := b.params["place"]; ok {
		a.query(b.zone())
	}
}

// query asks with the batch's parameters.
func (a *asking) query(q string) (rows []string) {
	a.t.Helper()
	if a.params != nil {
		q = a.params.Replace(q)
	}
	all, err := a.db.run(q)
	if err != nil {
		a.t.Fatalf("%s: %v\n%.2000s", a.name, err, q)
	}
	for _, row := range all {
		rows = append(rows, rowOf(row))
	}
	return rows
}

// number is a query's only number.
func (a *asking) number(q string) int64 {
	a.t.Helper()
	rows := a.query(q)
	n, err := strconv.ParseInt(strings.Join(rows, ";"), 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", a.name, err, q)
	}
	return n
}

const separator = " | "

// rowOf is columns in one text. Numbers look the same wherever they come from.
func rowOf(columns []string) string {
	for i, c := range columns {
		if f, err := strconv.ParseFloat(c, 64); err == nil {
			columns[i] = strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return strings.Join(columns, separator)
}

// row is rowOf of a result.
func row(columns ...any) string {
	text := make([]string, len(columns))
	for i, c := range columns {
		text[i] = fmt.Sprint(c)
	}
	return rowOf(text)
}
