package postgressink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The names of the tables about epochs. They live in Config.EpochSchema.
const (
	leasesTable  = "millrace_leases"
	epochsTable  = "millrace_epochs"
	batchesTable = "millrace_batches"
)

// statements change the rows of a table, many at once: their parameters are columns.
type statements struct {
	insert string
	delete string // with a key only
}

// queue adds what changes ask for.
func (s statements) queue(b *pgx.Batch, c changes) {
	if c.deleted > 0 {
		b.Queue(s.delete, c.deletes...)
	}
	if c.written > 0 {
		b.Queue(s.insert, c.rows...)
	}
}

// columnType is a column of the table.
type columnType struct {
	name  string // as SQL names it, quoted where it must be
	array uint32 // of such values, 0 for none
	kind  string // of the catalog: A is an array, C a row
}

const typesQuery = `SELECT a.attname::text, format_type(a.atttypid, NULL), t.typarray, t.typcategory::text
	FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
	WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`

// typesOf asks the server for the columns of a table, which is named in SQL.
func typesOf(ctx context.Context, conn *pgx.Conn, table string) (map[string]columnType, error) {
	rows, err := conn.Query(ctx, typesQuery, table)
	if err != nil {
		return nil, lost(conn, err)
	}
	types := map[string]columnType{}
	var name string
	var t columnType
	_, err = pgx.ForEachRow(rows, []any{&name, &t.name, &t.array, &t.kind}, func() error {
		types[name] = t
		return nil
	})
	switch {
	case err != nil:
		return nil, lost(conn, err)
	case len(types) == 0:
		return nil, fmt.Errorf("there is no table %s, or it cannot be seen by this user", table)
	}
	return types, nil
}

// statementsOf are those for the table of cfg, whose columns the server tells.
func statementsOf(ctx context.Context, conn *pgx.Conn, cfg Config, c columns) (s statements, err error) {
	types, err := typesOf(ctx, conn, cfg.table())
	if err != nil {
		return s, err
	}
	var errs []error
	parameters := make([]string, len(c.all)) // $1::bigint[]
	values := make([]string, len(c.all))     // c1, or c1::mood
	for i, x := range c.all {
		t, ok := types[x.name]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("table %s has no column %q", cfg.table(), x.name))
		case t.kind == "A" || t.kind == "C" || t.array == 0:
			errs = append(errs, fmt.Errorf("column %q is of type %s: arrays and rows cannot be written", x.name, t.name))
		}
		parameters[i], values[i] = fmt.Sprintf("$%d::%s[]", i+1, t.name), fmt.Sprintf("r.c%d", i+1)
		if _, known := conn.TypeMap().TypeForOID(t.array); !known { // an enum, a type of an extension: its text says it
			parameters[i] = fmt.Sprintf("$%d::text[]", i+1)
			values[i] += "::" + t.name
		}
	}
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	s.insert = "INSERT INTO " + cfg.table() + " (" + quoted(c.names()) + ") SELECT " + strings.Join(values, ", ") + from(parameters) + conflict(c)
	if len(c.key) > 0 {
		keyed := make([]string, len(c.key))
		wants := make([]string, len(c.key))
		for j, at := range c.key {
			_, array, _ := strings.Cut(parameters[at], "::")
			keyed[j] = fmt.Sprintf("$%d::%s", j+1, array)
			_, cast, has := strings.Cut(values[at], "::")
			wants[j] = "t." + pgx.Identifier{c.all[at].name}.Sanitize() + fmt.Sprintf(" = r.c%d", j+1)
			if has {
				wants[j] += "::" + cast
			}
		}
		s.delete = "DELETE FROM " + cfg.table() + " AS t USING " + strings.TrimPrefix(from(keyed), " FROM ") + " WHERE " + strings.Join(wants, " AND ")
	}
	return s, nil
}

// from makes rows of parameters that are columns.
func from(parameters []string) string {
	names := make([]string, len(parameters))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i+1)
	}
	return " FROM unnest(" + strings.Join(parameters, ", ") + ") AS r(" + strings.Join(names, ", ") + ")"
}

// conflict is what becomes of a row whose key is there.
func conflict(c columns) string {
	if len(c.key) == 0 {
		return ""
	}
	var keys, sets []string
	for i, x := range c.all {
		name := pgx.Identifier{x.name}.Sanitize()
		if slices.Contains(c.key, i) {
			keys = append(keys, name)
			continue
		}
		sets = append(sets, name+" = EXCLUDED."+name)
	}
	if len(sets) == 0 {
		return " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO NOTHING"
	}
	return " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(all, ", ")
}
