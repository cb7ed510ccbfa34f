package natssink

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/nats"
)

// Message is a whole message, the same type as the source's.
type Message = nats.Message

// Header is one of a message's headers.
type Header = nats.Header

// Server says how to reach the servers, and who connects.
type Server = nats.Server

// Secret is a text that no log, error or dump shows.
type Secret = nats.Secret

// Config says where to write. Server.URLs is required, and Subject unless each record names its own.
type Config struct {
	Server  Server
	Subject string // where records go that name no subject themselves; a stream must take it
	// Stream, if it is set, is the only stream that may store what is written: anything that another one would take is refused.
	Stream string

	// InFlight is how many messages may wait for their acknowledgement before writing waits; default 1024.
	InFlight int
	// InFlightBytes is how much they may take; default 32 MiB. One message may always wait.
	InFlightBytes int
	// AckTimeout is after what time without an acknowledgement the connection is given up and what waits is sent again over a new one;
	// default 10 s.
	AckTimeout time.Duration
	// DeliveryTimeout is how long a message is sent again, after servers that went away or refuse it for now, before the write fails;
	// default 2 minutes. A stream whose duplicate window is shorter may store a message twice that was sent again behind it.
	DeliveryTimeout time.Duration
}

const (
	inFlight        = 1024
	inFlightMax     = 1 << 16
	inFlightBytes   = 32 << 20
	ackTimeout      = 10 * time.Second
	deliveryTimeout = 2 * time.Minute
)

func (c Config) withDefaults() Config {
	if c.InFlight == 0 {
		c.InFlight = inFlight
	}
	if c.InFlightBytes == 0 {
		c.InFlightBytes = inFlightBytes
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = ackTimeout
	}
	if c.DeliveryTimeout == 0 {
		c.DeliveryTimeout = deliveryTimeout
	}
	return c
}

func (c Config) validate() error {
	errs := []error{c.Server.Validate()}
	if c.Subject != "" {
		errs = append(errs, nats.CheckSubject(c.Subject))
	}
	if c.Stream != "" {
		errs = append(errs, nats.CheckStream(c.Stream))
	}
	if c.InFlight < 0 || c.InFlight > inFlightMax {
		errs = append(errs, fmt.Errorf("InFlight is %d, want 1 to %d", c.InFlight, inFlightMax))
	}
	if c.InFlightBytes < 0 {
		errs = append(errs, fmt.Errorf("InFlightBytes is %d, want at least 1", c.InFlightBytes))
	}
	if c.AckTimeout < 0 || c.DeliveryTimeout < 0 {
		errs = append(errs, fmt.Errorf("AckTimeout is %v, DeliveryTimeout %v: neither may be negative", c.AckTimeout, c.DeliveryTimeout))
	}
	return errors.Join(errs...)
}
