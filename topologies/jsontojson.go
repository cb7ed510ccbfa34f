package topologies

import (
	"flag"
	"fmt"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Order is what a customer wants.
type Order struct {
	ID       int64       `json:"id"`
	Customer string      `json:"customer"`
	Lines    []OrderLine `json:"lines"`
}

// OrderLine is a number of one article; Cents is the price of one.
type OrderLine struct {
	Article  string `json:"article"`
	Quantity int64  `json:"quantity"`
	Cents    int64  `json:"cents"`
}

// Invoice is what the customer has to pay.
type Invoice struct {
	Order    int64  `json:"order"`
	Customer string `json:"customer"`
	Articles int64  `json:"articles"`
	Cents    int64  `json:"cents"`
}

// Invoices makes an invoice of each order.
func Invoices(orders millrace.Stream[Order]) millrace.Stream[Invoice] {
	return orders.Map("invoice", invoice)
}

func invoice(o Order) Invoice {
	v := Invoice{Order: o.ID, Customer: o.Customer}
	for _, l := range o.Lines {
		v.Articles += l.Quantity
		v.Cents += l.Quantity * l.Cents
	}
	return v
}

// MakeOrder makes an order of one to three lines.
func MakeOrder(i int64) Order {
	o := Order{ID: i, Customer: "customer " + strconv.FormatInt(below(i, 20), 10)}
	for n := 3 * i; n <= 3*i+i%3; n++ {
		o.Lines = append(o.Lines, OrderLine{"article " + strconv.FormatInt(below(n, 100), 10), 1 + n%5, 95 + below(n, 100)*100})
	}
	return o
}

var jsonToJSON = runner.Topology{
	Name: "json-to-json",
	Doc:  "S24: JSON orders from Kafka to JSON invoices in Kafka; with --dead-letters bad documents go there, with offset and reason",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in := registerInput(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			orders, err := in.from(job, o, "orders", rowsPerSecond, MakeOrder)
			if err != nil {
				return err
			}
			invoices := Invoices(orders)
			invoices.To("view", o.Latest([]string{"order", "customer", "articles", "cents"}, func(v Invoice) []string {
				return []string{fmt.Sprint(v.Order), v.Customer, fmt.Sprint(v.Articles), fmt.Sprint(v.Cents)}
			}))
			return in.writes(o, invoices, func(v Invoice) string { return strconv.FormatInt(v.Order, 10) })
		}
	},
}
