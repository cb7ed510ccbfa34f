package natssource

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/internal/nats"
)

// Message is a whole message of a stream, the same type as the sink's.
type Message = nats.Message

// Header is one of a message's headers.
type Header = nats.Header

// Server says how to reach the servers, and who connects.
type Server = nats.Server

// Secret is a text that no log, error or dump shows.
type Secret = nats.Secret

// Config says what to read. Server.URLs and Stream are required.
type Config struct {
	Server Server
	Stream string // its retention must be by limits: it keeps messages whether they were read or not

	// Subjects are what to read of the stream; default ">", all of it. Each is a split of its own, so that they are read side by side,
	// and may have wildcards. No two may match the same subject: the messages of a subject are of one split and keep their order.
	//
	// To read one stream in parallel let the server number its subjects, by a subject mapping with partition(), and name one filter per number:
	// "orders.0.>", "orders.1.>".
	Subjects []string

	// Start is where splits are begun at the first start of a lineage; default Earliest. Subjects that are added to the configuration
	// later are read from their beginning.
	Start Start
	// Bounded ends each split at the end that the stream had at the first start of the lineage.
	Bounded bool
	// SkipLost goes on behind messages that the stream removed, by its limits or by purging, before they were certain to be read: each gap
	// becomes a dead letter. Without it the job fails. The gap of a split with a filter may hold messages of other subjects alone.
	SkipLost bool

	// FetchMessages is how many messages of a split are asked for ahead of reading; default 512.
	FetchMessages int
	// FetchBytes is how much one answer brings at most, but always a message as large as the server takes; default 1 MiB.
	FetchBytes int

	probeEvery time.Duration // after how long a wait the stream is asked what it has
}

const (
	probeEvery       = 5 * time.Second
	everything       = ">"
	fetchMessages    = 512
	fetchMessagesMax = 1 << 14
	fetchBytes       = 1 << 20
	fetchBytesMax    = 64 << 20
)

func (c Config) withDefaults() Config {
	if len(c.Subjects) == 0 {
		c.Subjects = []string{everything}
	}
	if c.FetchMessages == 0 {
		c.FetchMessages = fetchMessages
	}
	if c.FetchBytes == 0 {
		c.FetchBytes = fetchBytes
	}
	if c.probeEvery == 0 {
		c.probeEvery = probeEvery
	}
	return c
}

// validate reports everything that is wrong before a server is asked.
func (c Config) validate() error {
	errs := []error{c.Server.Validate(), nats.CheckStream(c.Stream)}
	for i, s := range c.Subjects {
		errs = append(errs, nats.CheckFilter(s))
		for _, before := range c.Subjects[:i] {
			if nats.Overlap(s, before) {
				errs = append(errs, fmt.Errorf("subjects %q and %q overlap: a message would be read twice", before, s))
			}
		}
	}
	if c.FetchMessages < 0 || c.FetchMessages > fetchMessagesMax {
		errs = append(errs, fmt.Errorf("FetchMessages is %d, want 1 to %d", c.FetchMessages, fetchMessagesMax))
	}
	if c.FetchBytes < 0 || c.FetchBytes > fetchBytesMax {
		errs = append(errs, fmt.Errorf("FetchBytes is %d, want 1 to %d", c.FetchBytes, fetchBytesMax))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("nats source: %w", err)
	}
	return nil
}

// suits says why a stream cannot be read as configured.
func (c Config) suits(s jetstream.StreamConfig) error {
	if s.Retention != jetstream.LimitsPolicy {
		return fmt.Errorf("nats source: stream %q has retention %q: it removes what is acknowledged, and a job that goes back to its last epoch could not read it again; "+
			"read another stream with limits retention that has this one as its source", s.Name, s.Retention)
	}
	if s.Mirror != nil || len(s.Sources) > 0 || s.SubjectTransform != nil { // then its own subjects do not tell what is in it
		return nil
	}
	for _, filter := range c.Subjects {
		found := false
		for _, subject := range s.Subjects {
			found = found || nats.Overlap(filter, subject)
		}
		if !found {
			return fmt.Errorf("nats source: stream %q takes no message of subject %q, its subjects are %q", s.Name, filter, s.Subjects)
		}
	}
	return nil
}
