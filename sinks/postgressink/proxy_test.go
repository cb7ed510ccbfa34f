//go:build integration

package postgressink

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// proxy stands between the sink and the server. It cuts one connection, at a request: before the server has it, or when the server has
// answered it and the client does not know.
type proxy struct {
	listener net.Listener
	to       string
	answered bool

	mu       sync.Mutex
	requests int // until the cut
	cut      bool
	open     []net.Conn
	running  sync.WaitGroup
}

func newProxy(t *testing.T, requests int, answered bool) *proxy {
	t.Helper()
	cfg, err := pgx.ParseConfig(realURL())
	fine(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fine(t, err)
	p := &proxy{listener: l, to: net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)), answered: answered, requests: requests}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

func (p *proxy) url(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(realURL())
	fine(t, err)
	u.Host = p.listener.Addr().String()
	return u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		server, err := d.DialContext(context.Background(), "tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		c := &link{client: client, server: server}
		p.running.Go(func() { p.requestsOf(c) })
		p.running.Go(func() { p.answersOf(c) })
	}
}

type link struct {
	client, server net.Conn
	mu             sync.Mutex
	dying          bool // it is closed with the next answer
}

func (p *proxy) requestsOf(c *link) {
	defer c.server.Close()
	defer c.client.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := c.client.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.requests--
		now := p.requests == 0
		p.cut = p.cut || now
		p.mu.Unlock()
		if now && !p.answered {
			return
		}
		if now {
			c.mu.Lock()
			c.dying = true
			c.mu.Unlock()
		}
		if _, err := c.server.Write(b[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) answersOf(c *link) {
	defer c.client.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := c.server.Read(b)
		if err != nil {
			return
		}
		c.mu.Lock()
		dying := c.dying
		c.mu.Unlock()
		if dying {
			return
		}
		if _, err := c.client.Write(b[:n]); err != nil {
			return
		}
	}
}

// A connection is cut at every request there is, in the life of two attempts: nothing is lost, nothing is there twice.
func TestRealCuts(t *testing.T) {
	for _, answered := range []bool{false, true} {
		t.Run(fmt.Sprint("answered ", answered), func(t *testing.T) {
			cuts := 0
			for n := 1; ; n++ {
				place := newPlace(t)
				place.exec(t, itemsTable)
				fine(t, Table[item](place.config("items")).Check(t.Context()))
				cfg, through := place.config("items"), newProxy(t, n, answered)
				cfg.URL = through.url(t)
				live(t, cfg)
				wantItems(t, place.items(t), 10)
				if sum := place.number(t, "SELECT sum(changes) FROM millrace_epochs"); sum != 10 {
					t.Fatalf("cut at request %d: the epochs brought %d changes, want 10", n, sum)
				}
				through.mu.Lock()
				cut := through.cut
				through.mu.Unlock()
				if !cut {
					break
				}
				cuts++
			}
			if cuts < 12 {
				t.Errorf("%d places to cut at, want at least those of three transactions and two starts", cuts)
			}
			t.Logf("cut at %d requests", cuts)
		})
	}
}

// live is an attempt that commits two epochs and leaves one in the record, and another that recovers and goes on.
func live(t *testing.T, cfg Config) {
	t.Helper()
	attempt := func(at sinks.Instance, prepared ...sinks.Prepared) *played {
		s := Table[item](cfg)
		w, err := s.Open(t.Context(), at)
		fine(t, err)
		p := &played{writer: w.(*writer[item]), sink: s, at: at}
		fine(t, s.Recover(t.Context(), at, prepared))
		return p
	}
	p := attempt(sinktest.At(0, 1, 1))
	first := p.epoch(t, 1, 0, 2)
	fine(t, p.commit(t, first))
	second, third := p.epoch(t, 2, 2, 2), p.epoch(t, 3, 4, 2)
	fine(t, p.commit(t, second, third))
	fourth := p.epoch(t, 4, 6, 2)
	fine(t, p.Close())
	at := sinktest.At(0, 1, 2)
	at.Restored = 4
	q := attempt(at, second, third, fourth)
	fine(t, q.commit(t, q.epoch(t, flow.Epoch(5), 8, 2)))
	fine(t, q.Close())
}
