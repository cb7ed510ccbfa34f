package natssink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/natssink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// rig is a server under test, and another client of it.
type rig struct {
	*natstest.Server
	js jetstream.JetStream
}

func start(t testing.TB, change ...func(*natstest.Options)) *rig {
	t.Helper()
	s := natstest.Start(t, func(o *natstest.Options) {
		for _, f := range change {
			f(o)
		}
	})
	return &rig{s, s.Connect(t)}
}

// stream makes a stream of name.> in the server's files.
func (r *rig) stream(t testing.TB, name string, change ...func(*jetstream.StreamConfig)) {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.FileStorage}
	for _, f := range change {
		f(&cfg)
	}
	if _, err := r.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// last is the last sequence of a stream.
func (r *rig) last(t testing.TB, name string) uint64 {
	t.Helper()
	s, err := r.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

// messages are all of a stream, in order.
func (r *rig) messages(t testing.TB, name string) (all []*jetstream.RawStreamMsg) {
	t.Helper()
	s, err := r.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= s.CachedInfo().State.LastSeq; n++ {
		m, err := s.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		m.Header.Del(client.MsgIdHdr)
		all = append(all, m)
	}
	return all
}

// values are the data of all messages.
func (r *rig) values(t testing.TB, name string) []string {
	t.Helper()
	var vs []string
	for _, m := range r.messages(t, name) {
		vs = append(vs, string(m.Data))
	}
	return vs
}

func (r *rig) config(subject string) natssink.Config {
	return natssink.Config{Server: natssink.Server{URLs: []string{r.URL}}, Subject: subject}
}

func numbered(prefix string, n int) []string {
	vs := make([]string, n)
	for i := range vs {
		vs[i] = fmt.Sprint(prefix, i)
	}
	return vs
}

func batch[T any](vs ...T) *flow.Batch[T] {
	b := &flow.Batch[T]{}
	for i, v := range vs {
		b.Records = append(b.Records, flow.Record[T]{TimeNS: int64(i) + 1, Value: v})
	}
	return b
}

func open[T any](t testing.TB, s sinks.Sink[T]) sinks.Writer[T] {
	t.Helper()
	w, err := s.Open(context.Background(), sinktest.At(0, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func writeAll[T any](t testing.TB, s sinks.Sink[T], vs ...T) {
	t.Helper()
	w := open(t, s)
	if err := errors.Join(w.Write(t.Context(), batch(vs...)), w.Flush(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
}

// within is how long something that should happen may take on a loaded machine.
const within = 30 * time.Second

// until waits for what another process does.
func until(t testing.TB, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not happen")
		}
	}
}
