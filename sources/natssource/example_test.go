package natssource_test

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sources/natssource"
)

// One stream is read by three splits: the server gives its subjects a number, by the mapping
//
//	orders.*  ->  orders.{{partition(3,1)}}.{{wildcard(1)}}
//
// so that each order's messages keep their order. What goes to other machines must be encrypted.
func ExampleNew() {
	cfg := natssource.Config{
		Server:   natssource.Server{URLs: []string{"nats://nats.example.com:4222"}, CredentialsFile: "/etc/millrace/orders.creds"},
		Stream:   "ORDERS",
		Subjects: []string{"orders.0.>", "orders.1.>", "orders.2.>"},
		Start:    natssource.At(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)),
	}
	source := natssource.New(cfg, codec.JSON[struct{ Cents int }]())
	fmt.Println(source.Check(context.Background()))

	// Output:
	// nats source: server URL 1: for nats.example.com:4222: connections to another machine without TLS are refused: use tls://, or set Server.AllowPlain
	// credentials file: stat /etc/millrace/orders.creds: no such file or directory
}
