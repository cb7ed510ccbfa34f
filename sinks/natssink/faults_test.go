package natssink_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sinks/natssink"
)

// TestServerThatIsStartedAgain in the middle: nothing is lost, nothing stored twice, the order is kept.
func TestServerThatIsStartedAgain(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	w := open[string](t, natssink.New(r.config("S.x"), codec.String))
	defer w.Close()
	want := numbered("v", 600)
	for i, part := range slices.Collect(slices.Chunk(want, 100)) {
		if err := w.Write(t.Context(), batch(part...)); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 1, 3: // with messages in flight
			r.Stop()
		case 2, 4: // what was written meanwhile waits
			r.Again(t)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.values(t, "S"); !slices.Equal(got, want) {
		t.Errorf("%d messages: %q", len(got), got)
	}
}

// TestLostAcknowledgements: the stream has the messages, and the sink does not know. It sends them again, and they are not stored again.
func TestLostAcknowledgements(t *testing.T) {
	for name, cut := range map[string]bool{"the connection breaks": true, "no answer comes": false} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.stream(t, "S")
			p := natstest.NewProxy(t, r.Server)
			cfg := r.config("S.x")
			cfg.Server.URLs = []string{p.URL}
			if !cut {
				cfg.AckTimeout = 100 * time.Millisecond
			}
			w := open[string](t, natssink.New(cfg, codec.String))
			defer w.Close()
			want := numbered("v", 50)
			p.Mute(true)
			if err := w.Write(t.Context(), batch(want...)); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return r.last(t, "S") == 50 })
			p.Mute(false)
			if cut {
				p.Cut()
			}
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.values(t, "S"); !slices.Equal(got, want) {
				t.Errorf("%d messages: %q", len(got), got)
			}
		})
	}
}

// TestCutAgainAndAgain: whatever the moment, each message is there once and in order.
func TestCutAgainAndAgain(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	p := natstest.NewProxy(t, r.Server)
	cfg := r.config("S.x")
	cfg.Server.URLs, cfg.InFlight = []string{p.URL}, 64
	w := open[string](t, natssink.New(cfg, codec.String))
	defer w.Close()
	want := numbered("v", 2000)
	for i, part := range slices.Collect(slices.Chunk(want, 40)) {
		if err := w.Write(t.Context(), batch(part...)); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			p.Cut()
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.values(t, "S"); !slices.Equal(got, want) {
		t.Errorf("%d messages, want %d", len(got), len(want))
	}
}

// TestNotDelivered: a server that stays away fails the flush, in time, with the cause. Writing waits for room meanwhile.
func TestNotDelivered(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	cfg := r.config("S.x")
	cfg.DeliveryTimeout, cfg.InFlight = 300*time.Millisecond, 2
	w := open[string](t, natssink.New(cfg, codec.String))
	defer w.Close()
	r.Stop()
	if err := w.Write(t.Context(), batch("a", "b")); err != nil {
		t.Fatal(err)
	}
	full, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.Write(full, batch("c")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write without room: %v", err)
	}
	mustSay(t, w.Flush(t.Context()), "not delivered for 300ms", "connection refused")
}

// TestFullStreamIsWaitedFor: it refuses messages until there is room.
func TestFullStreamIsWaitedFor(t *testing.T) {
	r := start(t)
	r.stream(t, "S", func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 3, jetstream.DiscardNew })
	w := open[string](t, natssink.New(r.config("S.x"), codec.String))
	defer w.Close()
	if err := w.Write(t.Context(), batch(numbered("v", 5)...)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return r.last(t, "S") == 3 })
	s, err := r.js.Stream(t.Context(), "S")
	if err == nil {
		err = s.Purge(t.Context())
	}
	if err := errors.Join(err, w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := r.last(t, "S"); n != 5 {
		t.Errorf("the stream ends with %d", n)
	}
}

// TestClosesWithoutServer: closing waits for no answer.
func TestClosesWithoutServer(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	w := open[string](t, natssink.New(r.config("S.x"), codec.String))
	r.Stop()
	if err := errors.Join(w.Write(t.Context(), batch("a", "b")), w.Close()); err != nil {
		t.Error(err)
	}
}
