package natssource

import (
	"context"
	"time"

	"github.com/millrace-io/millrace/internal/nats"
)

// Start is where splits are begun at the first start of a lineage. The zero value is Earliest.
type Start struct {
	latest   bool
	at       time.Time
	sequence uint64
}

var (
	// Earliest begins at the oldest message there is.
	Earliest = Start{}
	// Latest begins behind the newest message there was at the first start of the lineage.
	Latest = Start{latest: true}
)

// At begins with the first message that was stored at t or later; without one, at the end.
func At(t time.Time) Start { return Start{at: t} }

// Sequence begins at a sequence of the stream, from 1; 0 is Earliest.
func Sequence(n uint64) Start { return Start{sequence: n} }

// resolve finds the first sequence. Earliest stays open until a split is opened: what is removed in between by age is no loss.
func (s Start) resolve(ctx context.Context, conn *nats.Conn, stream string, e nats.Extent) (uint64, error) {
	switch {
	case s.latest:
		return e.Last + 1, nil
	case s.at.IsZero():
		return s.sequence, nil
	}
	return conn.SequenceAt(ctx, stream, e, s.at)
}
