// Package natstest runs a NATS server with JetStream in the process of a test.
package natstest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readyWithin is how long a server may take to start on a loaded machine.
const readyWithin = 20 * time.Second

// Options are the server's own.
type Options struct{ *server.Options }

// AllowNKey lets a user with this public nkey in, and nobody else.
func (o Options) AllowNKey(public string) {
	o.Nkeys = []*server.NkeyUser{{Nkey: public}}
}

// AllowSubjects lets a user in, beside others allowed so, who may publish to these subjects and read from them alone.
func (o Options) AllowSubjects(user, password string, subjects ...string) {
	only := &server.SubjectPermission{Allow: subjects}
	o.Users = append(o.Users, &server.User{Username: user, Password: password, Permissions: &server.Permissions{Publish: only, Subscribe: only}})
}

// TrustAccount lets the users of an account in, and nobody else.
func (o Options) TrustAccount(t testing.TB, operator, account, jwt string) {
	t.Helper()
	known := &server.MemAccResolver{}
	if err := known.Store(account, jwt); err != nil {
		t.Fatal(err)
	}
	o.JetStream, o.TrustedKeys, o.AccountResolver = false, []string{operator}, known
}

// Server is a server under test, on a loopback port that it keeps when it is started again.
type Server struct {
	URL  string
	opts *server.Options
	run  *server.Server
	far  *process // instead of run
}

// Start starts a server with a directory of its own, which ends with the test. change may be nil: then it is a process of the program that the environment
// variable MILLRACE_NATS_SERVER names, if it does.
func Start(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	s := &Server{opts: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 256 << 20,
	}}
	if change != nil {
		change(&Options{s.opts})
	}
	if binary() != "" && change == nil {
		s.opts.Port = freePort(t)
		s.far = startProcess(t, s.opts.Port, s.opts.StoreDir)
		s.URL = fmt.Sprintf("nats://127.0.0.1:%d", s.opts.Port)
	} else {
		s.Again(t)
		s.URL = s.run.ClientURL()
	}
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server, as a clean shutdown does. Its directory stays.
func (s *Server) Stop() {
	if s.far != nil {
		s.far.stop()
		return
	}
	s.run.Shutdown()
	s.run.WaitForShutdown()
}

// Again starts the server that was stopped, with what its directory holds.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	if s.far != nil {
		s.far = startProcess(t, s.opts.Port, s.opts.StoreDir)
		return
	}
	run, err := server.NewServer(s.opts)
	if err != nil {
		t.Fatal(err)
	}
	s.run = run
	go run.Start()
	if !run.ReadyForConnections(readyWithin) {
		t.Fatalf("the NATS server is not ready after %v", readyWithin)
	}
	if addr, ok := run.Addr().(interface{ AddrPort() netip.AddrPort }); ok {
		s.opts.Port = int(addr.AddrPort().Port())
	}
}

// Empty makes the next start one with an empty directory.
func (s *Server) Empty(t testing.TB) { s.opts.StoreDir = t.TempDir() }

// Connect is another client of the server, which ends with the test.
func (s *Server) Connect(t testing.TB, opts ...client.Option) jetstream.JetStream {
	t.Helper()
	conn, err := client.Connect(s.URL, append(opts, client.MaxReconnects(-1), client.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// Stream makes a stream of name.> that holds messages of the subject name.x.
func (s *Server) Stream(t testing.TB, name string, messages ...string) {
	t.Helper()
	js := s.Connect(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}}); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := js.Publish(t.Context(), name+".x", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}
