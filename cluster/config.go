package cluster

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/mailbox/natslane"
)

const (
	defaultPrefix    = "millrace"
	defaultBeatEvery = 100 * time.Millisecond
	defaultLostAfter = 500 * time.Millisecond
	beatsMin         = 3 // in the time after which a silent process is lost
)

// Config is how a process of a cluster reaches the others. All of them have the same, but for Conn.
type Config struct {
	// Conn is the connection to NATS; who made it closes it, when all that uses it has ended. It should reconnect by itself for ever: what is lost
	// meanwhile ends links, not processes.
	Conn *nats.Conn
	// Prefix begins all subjects, which belong to the cluster alone; empty: "millrace". Whoever may publish to them can run and stop its jobs.
	Prefix string
	// AllowPlain lets records go to a server that is not on this machine without TLS.
	AllowPlain bool
	// BeatEvery is how often each process says that it lives; 0: 100 ms.
	BeatEvery time.Duration
	// LostAfter is how long a process may be silent before the others take it for lost; 0: 500 ms, at least three beats. A false alarm costs a restart from
	// the newest epoch, and nothing else.
	LostAfter time.Duration
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.BeatEvery == 0 {
		c.BeatEvery = defaultBeatEvery
	}
	if c.LostAfter == 0 {
		c.LostAfter = max(defaultLostAfter, beatsMin*c.BeatEvery)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Conn == nil:
		return errors.New("cluster: no connection")
	case strings.ContainsAny(c.Prefix, "*> \t\r\n") || strings.HasPrefix(c.Prefix, ".") || strings.HasSuffix(c.Prefix, "."):
		return fmt.Errorf("cluster: prefix %q is no subject", c.Prefix)
	case c.BeatEvery < time.Millisecond || c.LostAfter < beatsMin*c.BeatEvery:
		return fmt.Errorf("cluster: a beat every %v and lost after %v; want at least 1ms, and %d beats", c.BeatEvery, c.LostAfter, beatsMin)
	}
	return c.secure()
}

// secure refuses a plain connection to another machine.
func (c Config) secure() error {
	if _, err := c.Conn.TLSConnectionState(); err == nil || c.AllowPlain {
		return nil
	}
	addr := c.Conn.ConnectedAddr()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("cluster: the connection to NATS is not open (%q): connect first", addr)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("cluster: the connection to %s is not encrypted: use tls://, or set AllowPlain where nobody else can listen", addr)
}

func (c Config) wire() natslane.Wire { return natslane.Wire{Conn: c.Conn, Prefix: c.Prefix} }

// beacons is where workers say that they live, offers where one of them is offered a link, and the others what belongs to a link.
func (c Config) beacons() string             { return c.Prefix + ".workers" }
func (c Config) offers(worker string) string { return c.Prefix + ".worker." + worker }
func (c Config) beats(link string) string    { return c.Prefix + ".link." + link + ".beat" }
func (c Config) closing(link string) string  { return c.Prefix + ".link." + link + ".close" }
func (c Config) envelopes(link, way string) string {
	return c.Prefix + ".link." + link + "." + way
}
