package topologies

import (
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/postgressink"
)

var invoicesPostgres = runner.Topology{
	Name: "invoices-postgres",
	Doc:  "S11: JSON orders to invoices in a PostgreSQL table, each in the place of the one before: by a function for each record, or with each epoch",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in, db := registerInput(fs), runner.RegisterPostgres(fs)
		through := forEachRecord
		fs.TextVar(&through, "through", forEachRecord, "`HOW` the table is written: foreach, at-least-once, or epochs, exactly-once")
		return func(job *millrace.Job, o *runner.Options) error {
			orders, err := in.from(job, o, "orders", rowsPerSecond, MakeOrder)
			if err != nil {
				return err
			}
			invoices := Invoices(orders)
			invoices.To("view", o.Latest([]string{"order", "customer", "articles", "cents"}, func(v Invoice) []string {
				return []string{fmt.Sprint(v.Order), v.Customer, fmt.Sprint(v.Articles), fmt.Sprint(v.Cents)}
			}))
			if err := in.writes(o, invoices, func(v Invoice) string { return strconv.FormatInt(v.Order, 10) }); err != nil || !db.Given() {
				return errors.Join(err, db.Unused())
			}
			cfg, err := db.Config("order")
			if through == withEpochs {
				invoices.To("table", postgressink.Table[Invoice](cfg))
			} else {
				invoices.To("table", sinks.ForEach(postgressink.ForEach[Invoice](cfg)))
			}
			return err
		}
	},
}

// tableWriting says how rows come into a table.
type tableWriting uint8

const (
	forEachRecord tableWriting = iota
	withEpochs
)

var tableWritings = []string{"foreach", "epochs"}

// MarshalText implements encoding.TextMarshaler.
func (w tableWriting) MarshalText() ([]byte, error) { return []byte(tableWritings[w]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *tableWriting) UnmarshalText(text []byte) error {
	for i, name := range tableWritings {
		if string(text) == name {
			*w = tableWriting(i)
			return nil
		}
	}
	return fmt.Errorf("want one of %q", tableWritings)
}
