package sources_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func TestSocketConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(t *testing.T) sources.Source[string] {
			addr := sourcetest.Listen(t, func(c net.Conn) { _, _ = io.WriteString(c, poem); c.Close() })
			return sources.Socket(sources.SocketConfig{Addr: addr, Bounded: true})
		},
		Want: map[string][]string{"socket": poemLines},
		Idle: func(t *testing.T) sources.Source[string] {
			var open []net.Conn
			t.Cleanup(func() {
				for _, c := range open {
					c.Close()
				}
			})
			return sources.Socket(sources.SocketConfig{Addr: sourcetest.Listen(t, func(c net.Conn) { open = append(open, c) })})
		},
		OnlyOnce: true,
	})
}

// TestSocketConnectsAgain: what a server sent before it closed the connection is handed over, and then another one is
// asked for.
func TestSocketConnectsAgain(t *testing.T) {
	greetings := []string{"one\ntwo", "three\n"}
	addr := sourcetest.Listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, greetings[0])
		greetings = greetings[1:]
		c.Close()
	})
	src := sources.Socket(sources.SocketConfig{Addr: addr})
	split := splitsOf(t, src)[0]
	at := split.Start
	for _, want := range [][]string{{"one", "two"}, {"three"}} {
		r := open(t, src, split, at)
		got, err := untilError(t, r)
		if !slices.Equal(got, want) || !errors.Is(err, sources.ErrDisconnected) || !strings.Contains(err.Error(), addr) {
			t.Errorf("got %q and error %v, want %q and %v", got, err, want, sources.ErrDisconnected)
		}
		r.Close()
	}
}

func untilError[T any](t *testing.T, r sources.Reader[T]) (vs []T, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for err == nil {
		b := batchOf[T](3)
		err = r.Read(ctx, b)
		for _, rec := range b.Records {
			vs = append(vs, rec.Value)
		}
	}
	return vs, err
}

// TestSocketSaysWhenItIsAtItsEnd: with nothing to read, and again after each line that came.
func TestSocketSaysWhenItIsAtItsEnd(t *testing.T) {
	conns := make(chan net.Conn, 1)
	src := sources.Socket(sources.SocketConfig{Addr: sourcetest.Listen(t, func(c net.Conn) { conns <- c })})
	split := splitsOf(t, src)[0]
	r := open(t, src, split, split.Start)
	defer r.Close()
	server := <-conns
	defer server.Close()
	for _, line := range []string{"", "first", "second"} {
		if line != "" {
			if _, err := io.WriteString(server, line+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for b := batchOf[string](4); !b.AtEnd; {
			b.Reset()
			if err := r.Read(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for _, rec := range b.Records {
				got = append(got, rec.Value)
			}
		}
		if strings.Join(got, " ") != line {
			t.Errorf("got %q before the end, want %q", got, line)
		}
	}
}

func TestSocketWithoutServerIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	check := func(cfg sources.SocketConfig) error {
		return sources.Socket(cfg).(sources.Checker).Check(t.Context())
	}
	err = check(sources.SocketConfig{Addr: addr})
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "is a server listening there?") {
		t.Errorf("nobody listens, but check says %v", err)
	}
	if _, err := sources.Socket(sources.SocketConfig{Addr: addr}).Open(t.Context(), splitsOf(t, sources.Socket(sources.SocketConfig{}))[0], nil); !errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("open: %v", err)
	}
	for _, cfg := range []sources.SocketConfig{{}, {Addr: addr, MaxLineBytes: -1}, {Addr: addr, DialTimeout: -1}} {
		if err := check(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// TestSocketCheckKeepsItsConnection: a server that serves one connection, as "nc -l" does, serves the reader.
func TestSocketCheckKeepsItsConnection(t *testing.T) {
	var accepted atomic.Int32
	addr := sourcetest.Listen(t, func(c net.Conn) { accepted.Add(1); _, _ = io.WriteString(c, "hello\n"); c.Close() })
	src := sources.Socket(sources.SocketConfig{Addr: addr, Bounded: true})
	if err := src.(sources.Checker).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	split := splitsOf(t, src)[0]
	r := open(t, src, split, split.Start)
	defer r.Close()
	if got, err := untilError(t, r); !slices.Equal(got, []string{"hello"}) || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", got, err)
	}
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
