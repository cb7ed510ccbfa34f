package natslane

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox/wire"
)

const (
	defaultCredits       = 32
	defaultCreditBytes   = 4 << 20
	defaultBatchBytesMax = 64 << 20
	defaultProbeEvery    = 500 * time.Millisecond
	defaultAnswerWithin  = 10 * time.Second

	creditsMax       = 1 << 16
	batchBytesLimit  = 1 << 30
	pieceBytesMax    = 1 << 20 // others wait behind a message of a shared connection
	pieceBytesMin    = 2 * wire.HeadBytes
	framesBesidesMax = 64 // probes, grants and what was repeated, in a queue besides the batches under way
)

// Config is one lane between two processes. Both ends have the same, but for Conn.
type Config struct {
	// Conn is the connection, which lanes share. Who made it closes it, behind the last lane. It may reconnect by itself: what got lost
	// meanwhile ends the lane with an error. Its FlusherTimeout bounds how long Run outlives its context when the network takes no bytes.
	Conn *nats.Conn
	// Subject is a prefix that belongs to this lane and this attempt alone, such as millrace.JOB.ATTEMPT.EDGE.FROM.TO. Batches go to
	// Subject.batches, grants to Subject.grants.
	Subject string
	// Name stands in errors, and its hash in every frame. Empty: Subject.
	Name string
	// Attempt: frames of older ones are dropped and counted, one of a newer one is an error.
	Attempt flow.Attempt
	// Credits is the most batches under way: sent, and not yet in the consumer's lane. The receiver's counts. 0: 32.
	Credits int
	// CreditBytes is the most bytes under way, encoded: while there are as many, no further batch is sent. With the one that reaches it, it
	// bounds the memory of a lane. Both ends must have the same. 0: 4 MiB.
	CreditBytes int
	// BatchBytesMax is the most bytes of one encoded batch; a larger one ends the lane. The receiver gives memory only for what has come. A batch that
	// the server would not take in one message goes in several. 0: 64 MiB.
	BatchBytesMax int
	// ProbeEvery is how often the sender asks what has come, while something is under way: how late the loss of a last batch is
	// noticed. 0: 500 ms.
	ProbeEvery time.Duration
	// AnswerWithin is how long probes may have no answer: then the lane ends with an error. A slow consumer answers. 0: 10 s.
	AnswerWithin time.Duration
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = c.Subject
	}
	if c.Credits == 0 {
		c.Credits = defaultCredits
	}
	if c.CreditBytes == 0 {
		c.CreditBytes = defaultCreditBytes
	}
	if c.BatchBytesMax == 0 {
		c.BatchBytesMax = defaultBatchBytesMax
	}
	if c.ProbeEvery == 0 {
		c.ProbeEvery = defaultProbeEvery
	}
	if c.AnswerWithin == 0 {
		c.AnswerWithin = max(defaultAnswerWithin, c.ProbeEvery)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Conn == nil:
		return errors.New("lane without a connection")
	case c.Subject == "":
		return errors.New("lane without a subject")
	case c.Credits < 1 || c.Credits > creditsMax:
		return fmt.Errorf("lane %s: %d credits, want 1 to %d", c.Name, c.Credits, creditsMax)
	case c.CreditBytes < 1:
		return fmt.Errorf("lane %s: credit for %d bytes, want at least 1", c.Name, c.CreditBytes)
	case c.BatchBytesMax < 1 || c.BatchBytesMax > batchBytesLimit:
		return fmt.Errorf("lane %s: batches of %d bytes, want 1 to %d", c.Name, c.BatchBytesMax, batchBytesLimit)
	case c.ProbeEvery < 0 || c.AnswerWithin < c.ProbeEvery:
		return fmt.Errorf("lane %s: a probe every %v, answers within %v; want the latter not shorter", c.Name, c.ProbeEvery, c.AnswerWithin)
	}
	return nil
}

func (c Config) lane() wire.Lane { return wire.Lane{Name: c.Name, Attempt: c.Attempt} }

// pieceBytes is the most bytes of one message. A connection that has not been made yet knows no limit of its server.
func (c Config) pieceBytes() int {
	if n := int(c.Conn.MaxPayload()); n > 0 {
		return max(pieceBytesMin, min(n, pieceBytesMax))
	}
	return pieceBytesMax
}

// queued is how many messages all batches under way may be: each is at least one, and one more for each full message.
func (c Config) queued() int {
	return c.Credits + (c.CreditBytes+c.BatchBytesMax)/(c.pieceBytes()-wire.HeadBytes) + framesBesidesMax
}
