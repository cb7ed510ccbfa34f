package natslane

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
)

// Wire is the connection that all lanes of a process share, and the prefix of their subjects, which belongs to one cluster.
type Wire struct {
	Conn   *nats.Conn
	Prefix string
}

// Lane is the configuration of a lane, by the edge and the numbers of the two tasks.
func (w Wire) Lane(lineage string, attempt flow.Attempt, edge, from, to int) Config {
	return Config{
		Conn: w.Conn, Subject: fmt.Sprintf("%s.lane.%s.%d.%d.%d.%d", w.Prefix, lineage, attempt, edge, from, to), Attempt: attempt,
	}
}
