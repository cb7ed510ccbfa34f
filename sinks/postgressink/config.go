package postgressink

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/internal/secret"
)

// Secret is a text that no log, error or dump shows.
type Secret = secret.Text

// Config says which table to write. URL and Table are required.
type Config struct {
	// URL is where the database is: postgres://user@host:5432/database?parameter=value, or libpq's keywords and values. A password has
	// no place in it: it comes from one of the three below, from PGPASSWORD or from a pgpass file.
	//
	// Without sslmode it is verify-full for all hosts but this machine.
	URL          string
	Password     Secret
	PasswordFile string // holds the password, in its first line
	PasswordEnv  string // the environment variable that holds it
	// Insecure allows an sslmode that does not verify a server on another machine. Who can reach the network can then read and change all.
	Insecure bool

	Schema string // of the table; "": where the server looks for names without one
	Table  string
	// Key are the columns by which a row replaces another one; the table needs a unique index on them. Without a key rows are
	// inserted, and nothing but inserts is taken.
	Key []string

	EpochSchema  string // of the tables millrace_leases, millrace_epochs and millrace_batches; default Schema
	CreateEpochs bool   // make those tables when they are missing

	// EpochBytesMax is how much the rows of an epoch and task may take, encoded; default 16 MiB. They are in memory and in the checkpoint until
	// the epoch is published.
	EpochBytesMax int
	// RetryFor is how long a transaction is tried again after lost connections, deadlocks and servers that restart or are
	// full, before the attempt fails; default 1 minute.
	RetryFor time.Duration
	// TransactionTimeout is after what time a transaction that does not answer is given up, to be tried again; default 30 s.
	TransactionTimeout time.Duration

	pause time.Duration // before the first retry
}

const (
	epochBytesDefault = 16 << 20
	epochBytesMax     = 256 << 20
	retryFor          = time.Minute
	transactionWithin = 30 * time.Second
	identifierMax     = 63 // bytes; the server would cut longer names without a word
)

func (c Config) withDefaults() Config {
	if c.EpochSchema == "" {
		c.EpochSchema = c.Schema
	}
	if c.EpochBytesMax == 0 {
		c.EpochBytesMax = epochBytesDefault
	}
	if c.RetryFor == 0 {
		c.RetryFor = retryFor
	}
	if c.pause == 0 {
		c.pause = retryMin
	}
	if c.TransactionTimeout == 0 {
		c.TransactionTimeout = transactionWithin
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(c.Table != "", "no table: set Config.Table")
	for _, name := range append([]string{c.Schema, c.Table, c.EpochSchema}, c.Key...) {
		want(len(name) <= identifierMax, "the name %q has %d bytes, the server takes %d", name, len(name), identifierMax)
		want(!slices.Contains([]byte(name), 0), "the name %q has a zero byte", name)
	}
	want(len(c.Key) <= keyColumnsMax, "%d key columns, at most %d", len(c.Key), keyColumnsMax)
	want(c.EpochBytesMax > 0 && c.EpochBytesMax <= epochBytesMax, "EpochBytesMax is %d, want 1 to %d", c.EpochBytesMax, epochBytesMax)
	want(c.RetryFor > 0 && c.TransactionTimeout > 0, "RetryFor is %v, TransactionTimeout %v: neither may be negative", c.RetryFor, c.TransactionTimeout)
	_, err := c.connection()
	return errors.Join(append(errs, err)...)
}

// qualified is a quoted name.
func qualified(schema, name string) string {
	if schema == "" {
		return pgx.Identifier{name}.Sanitize()
	}
	return pgx.Identifier{schema, name}.Sanitize()
}

func (c Config) table() string { return qualified(c.Schema, c.Table) }
