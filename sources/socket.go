package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// SocketConfig is the configuration of Socket.
type SocketConfig struct {
	Addr         string        // host:port of the server to connect to
	MaxLineBytes int           // longer lines go to the dead letters; default 1 MiB
	DialTimeout  time.Duration // of one attempt to connect; default 10 s
	// Bounded ends the split when the server closes the connection. Otherwise the source connects again, with back-off.
	Bounded bool
}

const dialTimeout = 10 * time.Second

// Socket is a source of the lines that a server sends over TCP, in one split, without their line ends (\n or \r\n); "nc
// -lk 9999" is such a server. A last line without an end counts. A record's time is when it was read. What was sent once
// cannot be read again, so a job that reads it is at-most-once over its restarts (see Replayable), and lines that are
// sent while the connection is broken are the server's to keep.
func Socket(cfg SocketConfig) Source[string] {
	if cfg.MaxLineBytes == 0 {
		cfg.MaxLineBytes = lineBytesMax
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = dialTimeout
	}
	return &socket{cfg: cfg}
}

type socket struct {
	cfg SocketConfig

	mu   sync.Mutex
	conn net.Conn // made by Check for the first Open: a server may serve one connection only
}

func (s *socket) Replayable() bool { return false }

// Check connects, and keeps the connection.
func (s *socket) Check(ctx context.Context) error {
	switch {
	case s.cfg.Addr == "":
		return errors.New("socket: no address: set SocketConfig.Addr to host:port")
	case s.cfg.MaxLineBytes < 0 || s.cfg.DialTimeout < 0:
		return fmt.Errorf("socket: longest line %d bytes, dial timeout %v: none may be negative", s.cfg.MaxLineBytes, s.cfg.DialTimeout)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return nil
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: is a server listening there?", err)
	}
	s.conn = conn
	return nil
}

func (s *socket) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: s.cfg.DialTimeout}
	conn, err := d.DialContext(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return conn, nil
}

func (s *socket) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "socket", Start: linePosition{}.append(nil)}}, nil
}

func (s *socket) Open(ctx context.Context, _ flow.Split, from flow.Position) (Reader[string], error) {
	at, err := linesAt(from)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	at.open = false
	s.mu.Lock()
	conn := s.conn
	s.conn = nil
	s.mu.Unlock()
	if conn == nil {
		if conn, err = s.dial(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDisconnected, err)
		}
	}
	r := &lineReader{max: s.cfg.MaxLineBytes, at: at, buf: make([]byte, max(lineChunkBytes, s.cfg.MaxLineBytes+2)), input: &connection{conn}}
	return &socketReader{lineReader: r, addr: s.cfg.Addr, bounded: s.cfg.Bounded}, nil
}

// socketReader's position is the number of lines and bytes read: it tells a person how far it was.
type socketReader struct {
	*lineReader
	addr    string
	bounded bool
	closed  bool // by the server
}

func (r *socketReader) Read(ctx context.Context, b *Batch[string]) error {
	if r.closed {
		return fmt.Errorf("%w: socket: %q closed the connection", ErrDisconnected, r.addr)
	}
	err := r.lineReader.Read(ctx, b)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: socket: %w", ErrDisconnected, err)
	case r.bounded:
		return io.EOF
	}
	r.closed = true
	if len(b.Records)+len(b.Bad) > 0 {
		return nil // with the last line; the next Read says what happened
	}
	return r.Read(ctx, b)
}

// connection is the input of a line reader from the network.
type connection struct{ conn net.Conn }

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

func (c *connection) read(ctx context.Context, p []byte, patience time.Duration) (int, error) {
	var deadline time.Time
	if patience > 0 {
		deadline = time.Now().Add(patience)
	}
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = c.conn.SetReadDeadline(past) // fails on a closed connection, which ends the read too
	})
	n, err := c.conn.Read(p)
	if !stop() {
		<-cut // or it would end the next read
	}
	var timeout net.Error
	switch {
	case n > 0:
		return n, nil
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		return 0, errQuiet
	}
	return n, err
}

func (c *connection) close() error { return c.conn.Close() }
