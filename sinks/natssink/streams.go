package natssink

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/internal/nats"
)

// check asks the server for the stream that is to be written.
func (c Config) check(ctx context.Context) error {
	conn, err := c.Server.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	name := c.Stream
	if c.Subject != "" {
		if name, err = conn.StreamOf(ctx, c.Subject); err != nil {
			return err
		}
	}
	switch {
	case c.Stream != "" && name != c.Stream:
		return fmt.Errorf("subject %q is of stream %q, not of %q as configured", c.Subject, name, c.Stream)
	case name == "":
		return conn.HasJetStream(ctx)
	}
	stream, err := conn.Stream(ctx, name)
	if err != nil {
		return err
	}
	return suits(stream.CachedInfo().Config)
}

// suits says why a stream cannot be written.
func suits(s jetstream.StreamConfig) error {
	switch {
	case s.NoAck:
		return fmt.Errorf("stream %q acknowledges nothing (no_ack): what is written to it cannot be known to be safe", s.Name)
	case s.Sealed:
		return fmt.Errorf("stream %q is sealed: nothing can be written to it", s.Name)
	case s.Mirror != nil:
		return fmt.Errorf("stream %q is a mirror of %q: write to that one", s.Name, s.Mirror.Name)
	}
	return nil
}

// orphan is the error for a message that no stream took, when that is known for certain; else nil: JetStream may be about to start.
func orphan(ctx context.Context, conn *nats.Conn, subject string) error {
	_, err := conn.StreamOf(ctx, subject)
	if err != nil && !nats.IsTransient(err) && ctx.Err() == nil {
		return err
	}
	return nil
}
