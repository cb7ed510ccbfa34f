package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Cluster says how to reach a Kafka cluster.
type Cluster struct {
	Brokers  []string    // host:port of some brokers; the others are found through them
	TLS      *tls.Config // nil = no TLS; an empty one verifies against the system's authorities, from TLS 1.2 on
	SASL     SASL
	ClientID string // how the brokers name this client in logs and quotas; default "millrace"
}

// DecompressedBytesMax bounds what one compressed batch of records may become: sarama's own default has no bound, and
// its setting is one for the process. A program that set it itself keeps its value.
const DecompressedBytesMax = 64 << 20

func init() {
	if sarama.MaxDecompressedBatchSize == 0 {
		sarama.MaxDecompressedBatchSize = DecompressedBytesMax
	}
}

const (
	dialTimeout = 10 * time.Second // with TLS and SASL
	// RequestTimeout bounds a request, on both sides; a fetch that waits for records waits less.
	RequestTimeout = 30 * time.Second
)

// Validate reports what is wrong in the configuration, each problem once.
func (c Cluster) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("no brokers: set Brokers to host:port of at least one"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("broker %q is not host:port", b))
		}
	}
	return errors.Join(append(errs, c.SASL.validate())...)
}

func (c Cluster) config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_9_0_0 // the newest we ask for; a request takes what its broker has
	cfg.MetricRegistry = noMetrics{}
	cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = RequestTimeout+5*time.Second, RequestTimeout
	cfg.Net.MaxOpenRequests = 1
	if cfg.ClientID = c.ClientID; c.ClientID == "" {
		cfg.ClientID = "millrace"
	}
	if c.TLS != nil {
		cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, c.TLS.Clone()
		cfg.Net.TLS.Config.MinVersion = max(cfg.Net.TLS.Config.MinVersion, tls.VersionTLS12)
	}
	c.SASL.apply(cfg)
	return cfg
}

// Conn is a connection to one broker. Its requests wait for their answer; Abort ends the one that waits.
type Conn struct {
	*sarama.Broker
	socket *socket
}

// Dial connects to addr, and authenticates. ctx bounds that only.
func (c Cluster) Dial(ctx context.Context, addr string) (*Conn, error) {
	inTime, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	cfg := c.config()
	conn := &Conn{sarama.NewBroker(addr), &socket{ctx: inTime}}
	cfg.Net.Proxy.Enable, cfg.Net.Proxy.Dialer = true, conn.socket
	if err := conn.Open(cfg); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(inTime, conn.Abort)
	_, err := conn.Connected()
	if stop(); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("connect to %q: %w", addr, c.cause(ctx, addr, err))
	}
	return conn, nil
}

// Do calls f, whose requests end when ctx does. The connection is of no use after that.
func (c *Conn) Do(ctx context.Context, f func() error) error {
	stop := context.AfterFunc(ctx, c.Abort)
	defer stop()
	err := f()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Abort cuts the connection: the request that waits ends with an error. Any goroutine may call it.
func (c *Conn) Abort() { c.socket.close() }

// Close cuts the connection and waits for what served it.
func (c *Conn) Close() {
	c.Abort()
	_ = c.Broker.Close() // its only error is that it was not open
}

// socket is the dialer of one connection, and remembers it: sarama can close one only when no request waits.
type socket struct {
	ctx context.Context

	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

// Dial is called by sarama.
func (s *socket) Dial(network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := d.DialContext(s.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	s.conn = conn
	return conn, nil
}

func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close()
	}
}
