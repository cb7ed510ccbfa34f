package natstest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between clients and a server, and breaks what a test wants broken.
type Proxy struct {
	URL    string
	target string
	l      net.Listener
	done   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	mute  bool
}

// NewProxy is a proxy in front of s, which ends with the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{URL: "nats://" + l.Addr().String(), target: s.run.Addr().String(), l: l}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.done.Wait()
	})
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.done.Go(func() {
			defer func() { _, _ = client.Close(), server.Close() }()
			_, _ = io.Copy(server, client)
		})
		p.done.Go(func() {
			defer func() { _, _ = client.Close(), server.Close() }()
			_, _ = io.Copy(audible{client, p}, server)
		})
	}
}

// audible drops what the server says while the proxy is mute.
type audible struct {
	net.Conn
	proxy *Proxy
}

func (a audible) Write(b []byte) (int, error) {
	a.proxy.mu.Lock()
	mute := a.proxy.mute
	a.proxy.mu.Unlock()
	if mute {
		return len(b), nil
	}
	return a.Conn.Write(b)
}

// Mute drops all that the server says from now on, or no more.
func (p *Proxy) Mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

// Cut breaks the connections there are.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}
