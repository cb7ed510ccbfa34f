package runner

import (
	"errors"
	"flag"
	"os"
	"strings"

	"github.com/millrace-io/millrace/sinks/postgressink"
)

// PostgresPasswordEnv is the environment variable that holds the password; --postgres-password-file is the other way to give it.
const PostgresPasswordEnv = "MILLRACE_POSTGRES_PASSWORD"

// Postgres is the flags of a topology that can write to PostgreSQL, and what they say once they are parsed.
type Postgres struct {
	url, table, file string
	insecure, create bool
}

// postgresFlags are the names that RegisterPostgres declares, for the help text.
var postgresFlags = map[string]bool{
	"postgres": true, "postgres-table": true, "postgres-password-file": true, "postgres-insecure": true, "postgres-create": true,
}

// RegisterPostgres declares the flags of Postgres.
func RegisterPostgres(fs *flag.FlagSet) *Postgres {
	p := &Postgres{}
	fs.StringVar(&p.url, "postgres", "", "write to the database at `URL`, postgres://USER@HOST:5432/DATABASE; the password is taken from the environment variable "+
		PostgresPasswordEnv+" or a file")
	fs.StringVar(&p.table, "postgres-table", "", "`TABLE` or SCHEMA.TABLE to write to")
	fs.StringVar(&p.file, "postgres-password-file", "", "`FILE` that holds the password")
	fs.BoolVar(&p.insecure, "postgres-insecure", false, "allow connections to other machines that are not encrypted, or do not verify the server")
	fs.BoolVar(&p.create, "postgres-create", false, "make the tables about epochs and batches when they are missing")
	return p
}

// Given says whether a database was named.
func (p *Postgres) Given() bool { return p.url != "" }

// Unused reports flags that were given without the database they are about.
func (p *Postgres) Unused() error {
	if !p.Given() && (p.table != "" || p.file != "" || p.insecure || p.create) {
		return errors.New("--postgres-table and the like need the database: give --postgres URL")
	}
	return nil
}

// Config is the configuration of a sink whose rows are known by columns key.
func (p *Postgres) Config(key ...string) (postgressink.Config, error) {
	c := postgressink.Config{URL: p.url, Table: p.table, Key: key, PasswordFile: p.file, Insecure: p.insecure, CreateEpochs: p.create}
	if schema, table, ok := strings.Cut(p.table, "."); ok {
		c.Schema, c.Table = schema, table
	}
	if p.file == "" && os.Getenv(PostgresPasswordEnv) != "" {
		c.PasswordEnv = PostgresPasswordEnv
	}
	if c.Table == "" {
		return c, errors.New("no table: give --postgres-table TABLE")
	}
	return c, nil
}
