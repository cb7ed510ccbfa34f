package postgressink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ddl makes the tables about epochs.
func (c Config) ddl() []string {
	return []string{
		"CREATE TABLE IF NOT EXISTS " + qualified(c.EpochSchema, leasesTable) +
			" (lineage text NOT NULL, operator text NOT NULL, attempt bigint NOT NULL, PRIMARY KEY (lineage, operator))",
		"CREATE TABLE IF NOT EXISTS " + qualified(c.EpochSchema, epochsTable) +
			" (lineage text NOT NULL, operator text NOT NULL, task int NOT NULL, epoch bigint NOT NULL, attempt bigint NOT NULL," +
			" previous bigint NOT NULL, changes bigint NOT NULL, PRIMARY KEY (lineage, operator, task, epoch))",
		"CREATE TABLE IF NOT EXISTS " + qualified(c.EpochSchema, batchesTable) +
			" (name text NOT NULL, batch bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY (name, batch))",
	}
}

// check finds what is wrong with the configuration and the tables, and makes those about epochs when it may. epochs are the names of the ones that
// are needed.
func (c Config) check(ctx context.Context, cols columns, epochs ...string) error {
	if err := c.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.TransactionTimeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	errs := []error{c.epochTables(ctx, conn, epochs)}
	if _, err := statementsOf(ctx, conn, c, cols); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if len(c.Key) > 0 {
		errs = append(errs, c.unique(ctx, conn))
	}
	return errors.Join(errs...)
}

func (c Config) epochTables(ctx context.Context, conn *pgx.Conn, names []string) error {
	missing := func() (all []string, err error) {
		for _, name := range names {
			var there bool
			if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", qualified(c.EpochSchema, name)).Scan(&there); err != nil {
				return nil, err
			}
			if !there {
				all = append(all, name)
			}
		}
		return all, nil
	}
	gone, err := missing()
	if err != nil || len(gone) == 0 {
		return err
	}
	if !c.CreateEpochs {
		return fmt.Errorf("tables %q are missing: set Config.CreateEpochs, or make them: %s", gone, strings.Join(c.ddl(), "; "))
	}
	for _, statement := range c.ddl() {
		if _, err = conn.Exec(ctx, statement); err != nil {
			break
		}
	}
	if gone, again := missing(); again == nil && len(gone) == 0 {
		return nil // somebody else may have made them at the same time
	}
	return err
}

const uniqueQuery = `SELECT array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey::int2[]))
	FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
	AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts`

// unique says whether rows can replace each other by the key.
func (c Config) unique(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, uniqueQuery, c.table())
	if err != nil {
		return err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	if err != nil {
		return err
	}
	want := slices.Sorted(slices.Values(c.Key))
	for _, index := range indexes {
		if slices.Sort(index); slices.Equal(index, want) {
			return nil
		}
	}
	return fmt.Errorf("table %s has no unique index on %q, by which rows could replace each other", c.table(), c.Key)
}
