package natssink_test

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/natssink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

func TestConforms(t *testing.T) {
	r := start(t)
	n := 0
	for name, change := range map[string]func(*natssink.Config){
		"plain":      func(*natssink.Config) {},
		"one by one": func(c *natssink.Config) { c.InFlight = 1 },
		"few bytes":  func(c *natssink.Config) { c.InFlightBytes = 1 },
		"its stream": func(c *natssink.Config) { c.Stream = strings.TrimSuffix(c.Subject, ".x") },
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case[string]{
				New: func(t *testing.T) (sinks.Sink[string], func(*testing.T) []string) {
					n++
					stream := "S" + strconv.Itoa(n)
					r.stream(t, stream)
					cfg := r.config(stream + ".x")
					change(&cfg)
					return natssink.New(cfg, codec.String), func(t *testing.T) []string { return r.values(t, stream) }
				},
				Value: strconv.Itoa,
			})
		})
	}
}

// TestMessagesKeepEverything: subject, data and headers; what told the server something about the message that was read stays behind.
func TestMessagesKeepEverything(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.stream(t, "OTHER")
	in := []natssink.Message{
		{Subject: "S.a", Data: []byte("v"), Headers: []natssink.Header{{Key: "h", Value: "1"}, {Key: "h", Value: "2"}, {Key: "Nats-Msg-Id", Value: "x"}}},
		{Subject: "S.b", Headers: []natssink.Header{{Key: "empty"}, {Key: "Nats-Expected-Stream", Value: "OTHER"}}},
		{Subject: "S.b", Data: []byte("again"), Headers: []natssink.Header{{Key: "Nats-Msg-Id", Value: "x"}}},
	}
	writeAll(t, natssink.Messages(r.config("")), in...)
	got := r.messages(t, "S")
	if len(got) != 3 || got[0].Subject != "S.a" || string(got[0].Data) != "v" || got[1].Subject != "S.b" || len(got[1].Data) != 0 || string(got[2].Data) != "again" {
		t.Fatalf("got %+v", got)
	}
	if h := got[0].Header; len(h) != 1 || !slices.Equal(h["h"], []string{"1", "2"}) {
		t.Errorf("headers %v", h)
	}
	if h := got[1].Header; len(h) != 1 || !slices.Equal(h["empty"], []string{""}) {
		t.Errorf("headers %v", h)
	}
	writeAll(t, natssink.Messages(r.config("OTHER.all")), in...)
	if got := r.messages(t, "OTHER"); len(got) != 3 || got[0].Subject != "OTHER.all" {
		t.Errorf("got %+v", got)
	}
}

// TestFunctionsOfASink: subject, headers and id of each record. What has the id of another message is not stored again.
func TestFunctionsOfASink(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	sink := natssink.New(r.config("S.x"), codec.String).
		Subject(func(v string) string {
			if v == "other" {
				return "S.other"
			}
			return ""
		}).
		Headers(func(v string) []natssink.Header {
			return []natssink.Header{{Key: "v", Value: v}, {Key: "Nats-Msg-Id", Value: "same"}}
		}).
		ID(func(v string) string { return v })
	for range 2 {
		writeAll[string](t, sink, "one", "other", "two", "one")
	}
	var got [][]string
	for _, m := range r.messages(t, "S") {
		got = append(got, []string{m.Subject, string(m.Data), m.Header.Get("v")})
	}
	want := [][]string{{"S.x", "one", "one"}, {"S.other", "other", "other"}, {"S.x", "two", "two"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestChangesOfATable(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	changes := func() *flow.Batch[string] {
		b := batch("a1", "a1", "a2", "a2")
		b.Kinds = []flow.Kind{flow.Insert, flow.UpdateBefore, flow.UpdateAfter, flow.Delete}
		return b
	}
	w := open[string](t, natssink.New(r.config(""), codec.String).Subject(func(v string) string { return "S." + v[:1] }))
	defer w.Close()
	if err := errors.Join(w.Write(t.Context(), changes()), w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	got := r.messages(t, "S")
	if vs := r.values(t, "S"); !slices.Equal(vs, []string{"a1", "a2", ""}) || got[2].Subject != "S.a" || got[2].Header.Get("KV-Operation") != "DEL" {
		t.Errorf("got %q, headers %v", vs, got[2].Header)
	}
	fixed := open[string](t, natssink.New(r.config("S.x"), codec.String))
	defer fixed.Close()
	mustSay(t, fixed.Write(t.Context(), changes()), `"update-before"`, "Sink.Subject")
}

// TestWritesABucket: a key-value bucket sees what was written, and what was deleted.
func TestWritesABucket(t *testing.T) {
	r := start(t)
	kv, err := r.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "B", History: 5})
	if err != nil {
		t.Fatal(err)
	}
	w := open[string](t, natssink.New(r.config(""), codec.String).Subject(func(v string) string { return "$KV.B." + v[:1] }))
	defer w.Close()
	b := batch("a1", "b1", "a1")
	b.Kinds = []flow.Kind{flow.Insert, flow.Insert, flow.Delete}
	if err := errors.Join(w.Write(t.Context(), b), w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if keys, err := kv.Keys(t.Context()); err != nil || !slices.Equal(keys, []string{"b"}) {
		t.Errorf("keys %q, error %v", keys, err)
	}
}

func TestRecordsThatCannotBeWritten(t *testing.T) {
	r := start(t, func(o *natstest.Options) { o.MaxPayload = 2000 })
	r.stream(t, "S", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 })
	write := func(s sinks.Sink[string], v string) error {
		w := open(t, s)
		defer w.Close()
		if err := w.Write(t.Context(), batch(v)); err != nil {
			return err
		}
		err := w.Flush(t.Context())
		if again := w.Write(t.Context(), batch("behind")); err != nil && !errors.Is(again, err) {
			t.Errorf("a write behind %v: %v", err, again)
		}
		return err
	}
	to := func(subject string) sinks.Sink[string] {
		return natssink.New(r.config(""), codec.String).Subject(func(string) string { return subject })
	}
	mustSay(t, write(to("S.x"), strings.Repeat("x", 1500)), `publish to "S.x"`, "message size exceeds maximum allowed")
	mustSay(t, write(to("S.x"), strings.Repeat("x", 2500)), `to "S.x"`, "maximum payload exceeded", "takes 2000 bytes")
	mustSay(t, write(to(""), "v"), "empty part", "Sink.Subject")
	mustSay(t, write(to("S.*"), "v"), `"S.*" has a wildcard`)
	mustSay(t, write(to("NONE.x"), "v"), `subject "NONE.x": no stream takes it`, `["S"]`)
	cfg := r.config("S.x")
	cfg.Stream = "OTHER"
	mustSay(t, write(natssink.New(cfg, codec.String), "v"), `publish to "S.x"`, "expected stream does not match")
	headers := func(h natssink.Header) sinks.Sink[string] {
		return natssink.New(r.config("S.x"), codec.String).Headers(func(string) []natssink.Header { return []natssink.Header{h} })
	}
	mustSay(t, write(headers(natssink.Header{Key: "a", Value: "b\r\nc"}), "v"), `header "a"`, "line break")
	mustSay(t, write(headers(natssink.Header{Key: "a:b"}), "v"), `header "a:b"`)
	w := open[chan int](t, natssink.New(r.config("S.x"), codec.JSON[chan int]()))
	defer w.Close()
	mustSay(t, w.Write(t.Context(), batch(make(chan int))), "nats sink: encode")
	if n := r.last(t, "S"); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	good := natssink.Config{Server: natssink.Server{URLs: []string{"nats://127.0.0.1:1"}}, Subject: "a.b"}
	for want, change := range map[string]func(*natssink.Config){
		"no server":                  func(c *natssink.Config) { c.Server.URLs = nil },
		"no subject":                 func(c *natssink.Config) { c.Subject = "" },
		`"a.>" has a wildcard`:       func(c *natssink.Config) { c.Subject = "a.>" },
		`stream "a b" is not a name`: func(c *natssink.Config) { c.Stream = "a b" },
		"InFlight is -1":             func(c *natssink.Config) { c.InFlight = -1 },
		"InFlightBytes is -1":        func(c *natssink.Config) { c.InFlightBytes = -1 },
		"AckTimeout is -1ns":         func(c *natssink.Config) { c.AckTimeout = -1 },
		"Server.AllowPlain":          func(c *natssink.Config) { c.Server.URLs = []string{"nats://nats.example.com"} },
		"of user and password only":  func(c *natssink.Config) { c.Server.Password = "canary" },
		"is the server running?":     func(*natssink.Config) {},
	} {
		cfg := good
		change(&cfg)
		err := natssink.New(cfg, codec.String).Check(t.Context())
		if mustSay(t, err, "nats sink: ", want); err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	mustSay(t, natssink.New[string](good, nil).Check(t.Context()), "codec is nil")
	_, err := natssink.New(good, codec.String).Open(t.Context(), sinktest.At(0, 1, 1))
	mustSay(t, err, "connection refused")
	if g := natssink.New(good, codec.String).Guarantee(); g != "at-least-once" {
		t.Errorf("guarantee %q", g)
	}
}

// TestStreamThatCannotBeWritten is refused before a record flows.
func TestStreamThatCannotBeWritten(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.stream(t, "MUTE", func(c *jetstream.StreamConfig) { c.NoAck = true })
	r.stream(t, "COPY", func(c *jetstream.StreamConfig) { c.Subjects, c.Mirror = nil, &jetstream.StreamSource{Name: "S"} })
	check := func(subject, stream string) error {
		cfg := r.config(subject)
		cfg.Stream = stream
		return natssink.New(cfg, codec.String).Subject(func(string) string { return "S.x" }).Check(t.Context())
	}
	mustSay(t, check("NONE.x", ""), `subject "NONE.x": no stream takes it`, `["COPY" "MUTE" "S"]`)
	mustSay(t, check("", "NONE"), `stream "NONE"`, "not found")
	mustSay(t, check("S.x", "MUTE"), `subject "S.x" is of stream "S", not of "MUTE"`)
	mustSay(t, check("MUTE.x", ""), `"MUTE" acknowledges nothing`)
	mustSay(t, check("", "COPY"), `"COPY" is a mirror of "S"`)
	for _, good := range [][2]string{{"S.x", ""}, {"S.x", "S"}, {"", "S"}, {"", ""}} {
		if err := check(good[0], good[1]); err != nil {
			t.Error(err)
		}
	}
	s := natstest.Start(t, func(o *natstest.Options) { o.JetStream = false })
	cfg := natssink.Config{Server: natssink.Server{URLs: []string{s.URL}}}
	mustSay(t, natssink.Messages(cfg).Check(t.Context()), "start the server with -js")
}
