package natssink_test

import (
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sinks/natssink"
)

type payment struct {
	ID       string
	Customer string
	Cents    int
}

// Each customer's payments have a subject of their own. The payment's own id keeps one that is written again after a restart
// from being stored twice, as long as the stream remembers it: its duplicate window.
func ExampleNew() {
	cfg := natssink.Config{
		Server: natssink.Server{URLs: []string{"tls://nats.example.com:4222"}, CredentialsFile: "/etc/millrace/payments.creds"},
		Stream: "PAYMENTS",
	}
	sink := natssink.New(cfg, codec.JSON[payment]()).
		Subject(func(p payment) string { return "payments." + p.Customer }).
		ID(func(p payment) string { return p.ID })
	fmt.Println(sink.Guarantee())
	// Output: at-least-once
}
