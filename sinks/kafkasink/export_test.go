package kafkasink

import (
	"testing"

	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
)

// Rest waits until a writer that nobody calls asks its brokers nothing more.
func Rest(w sinks.Writer[string]) {
	for _, n := range w.(*committer[string]).txn.names {
		if n.state == renewing {
			<-n.ready
		}
	}
}

// Decode is what a token names.
func Decode(t testing.TB, b []byte) (id string, p kafka.Producer) {
	t.Helper()
	tok, err := decodeToken(b)
	if err != nil {
		t.Fatal(err)
	}
	return tok.id, tok.producer
}
