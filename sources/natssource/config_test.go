package natssource_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sources/natssource"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func TestWrongConfigurationIsRefused(t *testing.T) {
	good := natssource.Config{Server: natssource.Server{URLs: []string{"nats://127.0.0.1:1"}}, Stream: "S"}
	for want, change := range map[string]func(*natssource.Config){
		"no server":                     func(c *natssource.Config) { c.Server.URLs = nil },
		"no stream":                     func(c *natssource.Config) { c.Stream = "" },
		`stream "a.b" is not a name`:    func(c *natssource.Config) { c.Stream = "a.b" },
		`"a.*" and "a.b" overlap`:       func(c *natssource.Config) { c.Subjects = []string{"a.*", "a.b"} },
		`"a" and "a" overlap`:           func(c *natssource.Config) { c.Subjects = []string{"a", "a"} },
		`subject "a..b" has an empty`:   func(c *natssource.Config) { c.Subjects = []string{"a..b"} },
		`subject ">.a" goes on behind`:  func(c *natssource.Config) { c.Subjects = []string{">.a"} },
		`subject "a b" has a space`:     func(c *natssource.Config) { c.Subjects = []string{"a b"} },
		"FetchMessages is -1":           func(c *natssource.Config) { c.FetchMessages = -1 },
		"FetchBytes is 1000000000":      func(c *natssource.Config) { c.FetchBytes = 1e9 },
		"connection refused":            func(*natssource.Config) {},
		"is the server running?":        func(*natssource.Config) {},
		"Server.AllowPlain":             func(c *natssource.Config) { c.Server.URLs = []string{"nats://nats.example.com:4222"} },
		"more than one of user, token,": func(c *natssource.Config) { c.Server.Token, c.Server.User, c.Server.Password = "t", "u", "p" },
	} {
		cfg := good
		change(&cfg)
		mustSay(t, natssource.New(cfg, codec.String).Check(t.Context()), want)
	}
	mustSay(t, natssource.New[string](good, nil).Check(t.Context()), "codec is nil")
	for _, id := range []string{"", "S", "S/"} {
		_, err := natssource.New(good, codec.String).Open(t.Context(), flow.Split{ID: id}, flow.Position(make([]byte, 24)))
		mustSay(t, err, "damaged")
		at := flow.Position(make([]byte, 24))
		at[15] = 1
		_, err = natssource.New(good, codec.String).Open(t.Context(), flow.Split{ID: id}, at)
		mustSay(t, err, "is not stream/subject")
	}
	_, err := natssource.New(good, codec.String).Open(t.Context(), flow.Split{ID: "S/>"}, flow.Position{1, 2})
	mustSay(t, err, "position 0102 is damaged")
}

// TestStreamThatCannotBeRead is refused before a record flows, with what there is instead.
func TestStreamThatCannotBeRead(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.stream(t, "QUEUE", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy })
	r.stream(t, "INTEREST", func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy })
	check := func(stream string, subjects ...string) error {
		return natssource.New(r.endless(stream, subjects...), codec.String).Check(t.Context())
	}
	mustSay(t, check("NONE"), `stream "NONE"`, "not found", `["INTEREST" "QUEUE" "S"]`)
	mustSay(t, check("QUEUE"), `"QUEUE" has retention "WorkQueue"`, "limits retention")
	mustSay(t, check("INTEREST"), `"INTEREST" has retention "Interest"`)
	mustSay(t, check("S", "S.a", "T.b"), `"S" takes no message of subject "T.b"`, `["S.>"]`)
	if err := check("S", "S.a", "S.*.b"); err != nil {
		t.Error(err)
	}
	r.stream(t, "COPY", func(c *jetstream.StreamConfig) {
		c.Subjects, c.Sources = nil, []*jetstream.StreamSource{{Name: "S"}}
	})
	if err := check("COPY", "S.a"); err != nil {
		t.Error(err)
	}
}

func TestServerWithoutJetStream(t *testing.T) {
	s := natstest.Start(t, func(o *natstest.Options) { o.JetStream = false })
	cfg := natssource.Config{Server: natssource.Server{URLs: []string{s.URL}}, Stream: "S"}
	mustSay(t, natssource.New(cfg, codec.String).Check(t.Context()), "is JetStream enabled on the server")
}

// TestSilentServerEndsWithTheContext: one that accepts and says nothing.
func TestSilentServerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := sourcetest.Listen(t, func(conn net.Conn) {
		cancel()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Read(make([]byte, 1)) // until the other side closes
		conn.Close()
	})
	err := natssource.New(natssource.Config{Server: natssource.Server{URLs: []string{"nats://" + addr}}, Stream: "S"}, codec.String).Check(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
