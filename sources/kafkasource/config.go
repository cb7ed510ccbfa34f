package kafkasource

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/millrace-io/millrace/internal/kafka"
)

// Message is a whole Kafka record, the same type as the sink's.
type Message = kafka.Message

// Header is one of a message's headers.
type Header = kafka.Header

// SASL says who connects.
type SASL = kafka.SASL

// Secret is a text that no log, error or dump shows.
type Secret = kafka.Secret

// Config says what to read. Brokers and either Topics or Pattern are required.
type Config struct {
	Brokers []string // host:port of some brokers; the others are found through them
	Topics  []string // topics to read
	Pattern string   // or a regular expression that matches their whole names; internal topics are left out

	// Start is where partitions are begun at the first start of a lineage; default Earliest. Partitions, and topics of a
	// pattern, that appear later are read from their beginning.
	Start Start
	// DiscoverEvery is the time between two looks for new partitions and topics; default 30 s, negative = never.
	DiscoverEvery time.Duration
	// Bounded ends each partition at the end it had at the first start of the lineage. New partitions are not read.
	Bounded bool
	// ReadUncommitted gives also records of transactions that are open or were aborted.
	ReadUncommitted bool

	TLS      *tls.Config // nil = no TLS; an empty one verifies against the system's authorities, from TLS 1.2 on
	SASL     SASL
	ClientID string // how the brokers name this client in logs and quotas; default "millrace"

	// FetchBytes is how much one fetch of a partition brings at most; a larger batch of records still comes whole. Up to
	// three fetches of each partition are in memory. Default 1 MiB.
	FetchBytes int
	// FetchWait is how long the broker holds a fetch that finds nothing. New records end the wait. Default 500 ms.
	FetchWait time.Duration
}

const (
	discoverEvery   = 30 * time.Second
	fetchBytes      = 1 << 20
	fetchBytesMax   = 64 << 20
	fetchWait       = 500 * time.Millisecond
	fetchWaitMax    = 20 * time.Second
	offsetEarliest  = int64(-2) // resolved when the partition is opened
	endNone         = int64(-1)
	noTimestampMS   = int64(-1)
	nsPerMS         = int64(time.Millisecond)
	fetchAPIVersion = 12
)

func (c Config) withDefaults() Config {
	if c.DiscoverEvery == 0 {
		c.DiscoverEvery = discoverEvery
	}
	if c.FetchBytes == 0 {
		c.FetchBytes = fetchBytes
	}
	if c.FetchWait == 0 {
		c.FetchWait = fetchWait
	}
	return c
}

func (c Config) cluster() kafka.Cluster {
	return kafka.Cluster{Brokers: c.Brokers, TLS: c.TLS, SASL: c.SASL, ClientID: c.ClientID}
}

// validate reports everything that is wrong, and compiles the pattern.
func (c Config) validate() (*regexp.Regexp, error) {
	errs := []error{c.cluster().Validate(), c.Start.validate()}
	var pattern *regexp.Regexp
	switch {
	case len(c.Topics) == 0 && c.Pattern == "":
		errs = append(errs, errors.New("no topic: set Topics or Pattern"))
	case len(c.Topics) > 0 && c.Pattern != "":
		errs = append(errs, fmt.Errorf("topics %q and pattern %q: set one of them", c.Topics, c.Pattern))
	case c.Pattern != "":
		var err error
		if pattern, err = regexp.Compile("^(?:" + c.Pattern + ")$"); err != nil {
			errs = append(errs, fmt.Errorf("pattern %q: %w", c.Pattern, err))
		}
	}
	for i, t := range c.Topics {
		for _, before := range c.Topics[:i] {
			if t == before {
				errs = append(errs, fmt.Errorf("topic %q is named twice", t))
			}
		}
	}
	if c.FetchBytes < 0 || c.FetchBytes > fetchBytesMax {
		errs = append(errs, fmt.Errorf("fetch size %d is not between 1 and %d bytes", c.FetchBytes, fetchBytesMax))
	}
	if c.FetchWait < 0 || c.FetchWait > fetchWaitMax {
		errs = append(errs, fmt.Errorf("fetch wait %v is not between 0 and %v", c.FetchWait, fetchWaitMax))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("kafka source: %w", err)
	}
	return pattern, nil
}
