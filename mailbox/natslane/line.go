package natslane

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Stats counts what an end of a lane has done. Any goroutine may read it.
type Stats struct {
	Batches  atomic.Int64 // sent or handed over
	Bytes    atomic.Int64 // of these, encoded
	Probes   atomic.Int64 // sent or answered
	Stale    atomic.Int64 // frames of older attempts, dropped
	Repeated atomic.Int64 // frames that came again, dropped
}

// line is one end's subject to publish to, and its subscription.
type line struct {
	c      Config
	to     string
	sub    *nats.Subscription
	in     chan *nats.Msg
	closed chan struct{} // with the subscription or the connection
}

// open subscribes. What comes waits in a queue for at most queued messages; more are dropped by the client, and missed by the protocol.
func open(c Config, from, to string, queued int) (*line, error) {
	l := &line{c: c, to: c.Subject + to, in: make(chan *nats.Msg, queued), closed: make(chan struct{})}
	sub, err := c.Conn.ChanSubscribe(c.Subject+from, l.in)
	if err != nil {
		return nil, fmt.Errorf("lane %s: subscribe to %s: %w", c.Name, c.Subject+from, err)
	}
	l.sub = sub
	var once atomic.Bool
	sub.SetClosedHandler(func(string) {
		if once.CompareAndSwap(false, true) {
			close(l.closed)
		}
	})
	if !sub.IsValid() { // it may have ended before the handler was set
		_ = l.close()
		return nil, fmt.Errorf("lane %s: %w", c.Name, nats.ErrConnectionClosed)
	}
	return l, nil
}

func (l *line) publish(frame []byte) error {
	if err := l.c.Conn.Publish(l.to, frame); err != nil {
		return fmt.Errorf("lane %s: publish %d bytes to %s: %w", l.c.Name, len(frame), l.to, err)
	}
	return nil
}

// broken is why the line closed by itself.
func (l *line) broken() error {
	if err := l.c.Conn.LastError(); err != nil {
		return fmt.Errorf("lane %s: %w: %w", l.c.Name, nats.ErrConnectionClosed, err)
	}
	return fmt.Errorf("lane %s: %w", l.c.Name, nats.ErrConnectionClosed)
}

// close ends the subscription. It may be called again.
func (l *line) close() error {
	err := l.sub.Unsubscribe()
	if errors.Is(err, nats.ErrBadSubscription) || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining) {
		return nil
	}
	return err
}
