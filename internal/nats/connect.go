package nats

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	connectTimeout = 10 * time.Second // of one server, with TLS and authentication
	// RequestTimeout bounds a request to JetStream.
	RequestTimeout = 10 * time.Second
	writeTimeout   = 10 * time.Second // of what the socket does not take
	pingEvery      = 10 * time.Second // a connection is given up when two are not answered
)

// Conn is a connection. When it breaks it is closed for good.
type Conn struct {
	*client.Conn
	JetStream jetstream.JetStream
	server    Server
	alive     context.Context // ends with the connection
}

// Connect makes a connection. ctx bounds the connecting only.
func (s Server) Connect(ctx context.Context, more ...client.Option) (*Conn, error) {
	d := &dialer{ctx: ctx}
	opts, err := s.options(d)
	if err != nil {
		return nil, err
	}
	opts = append(opts, more...)
	alive, closed := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, d.cut)
	conn, err := client.Connect(strings.Join(s.URLs, ","), append(opts, client.ClosedHandler(func(*client.Conn) { closed() }))...)
	if !stop() && err == nil {
		conn.Close()
		err = ctx.Err()
	}
	if err != nil {
		closed()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(s.URLs, ", "), s.cause(err, d.failure()))
	}
	js, err := jetstream.New(conn)
	if s.Domain != "" {
		js, err = jetstream.NewWithDomain(conn, s.Domain)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Conn{conn, js, s, alive}, nil
}

// Closed is closed when the connection is.
func (c *Conn) Closed() <-chan struct{} { return c.alive.Done() }

// Close ends the connection and waits for what served it.
func (c *Conn) Close() {
	c.Conn.Close()
	<-c.alive.Done()
}

// ask calls f with a context for one request: the client library does not end requests of a connection that broke.
func (c *Conn) ask(ctx context.Context, f func(context.Context) error) error {
	inTime, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	stop := context.AfterFunc(c.alive, cancel)
	defer stop()
	err := f(inTime)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case c.alive.Err() != nil:
		return fmt.Errorf("%w: %w", client.ErrConnectionClosed, err)
	}
	return err
}

func (s Server) options(d *dialer) ([]client.Option, error) {
	name := s.ClientName
	if name == "" {
		name = "millrace"
	}
	opts := []client.Option{
		client.Name(name), client.NoReconnect(), client.DontRandomize(), client.Timeout(connectTimeout), client.SetCustomDialer(d),
		client.PingInterval(pingEvery), client.MaxPingsOutstanding(2), client.FlusherTimeout(writeTimeout),
		// What servers say of themselves is not checked as URLs is.
		client.IgnoreDiscoveredServers(),
		client.ErrorHandler(func(*client.Conn, *client.Subscription, error) {}), // the default prints
	}
	if s.secure() {
		security := &tls.Config{}
		if s.TLS != nil {
			security = s.TLS.Clone()
		}
		security.MinVersion = max(security.MinVersion, tls.VersionTLS12)
		opts = append(opts, client.Secure(security))
	}
	switch {
	case s.User != "":
		opts = append(opts, client.UserInfo(s.User, string(s.Password)))
	case s.Token != "":
		opts = append(opts, client.Token(string(s.Token)))
	case s.CredentialsFile != "":
		opts = append(opts, client.UserCredentials(s.CredentialsFile))
	case s.NKeyFile != "":
		nkey, err := client.NkeyOptionFromSeed(s.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("nkey file %s: %w", s.NKeyFile, err)
		}
		opts = append(opts, nkey)
	}
	return opts, nil
}

// dialer opens sockets until its context ends, and remembers why the last one was not opened: the client library leaves that out.
type dialer struct {
	ctx context.Context

	mu   sync.Mutex
	conn net.Conn
	err  error
}

// Dial is called by the client library.
func (d *dialer) Dial(network, addr string) (net.Conn, error) {
	inTime, cancel := context.WithTimeout(d.ctx, connectTimeout)
	defer cancel()
	nd := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := nd.DialContext(inTime, network, addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.err = conn, err
	if err == nil && d.ctx.Err() != nil {
		_ = conn.Close()
		return nil, d.ctx.Err()
	}
	return conn, err
}

func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

func (d *dialer) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
