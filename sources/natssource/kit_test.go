package natssource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/natssource"
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
func (r *rig) stream(t testing.TB, name string, change ...func(*jetstream.StreamConfig)) jetstream.Stream {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.FileStorage}
	for _, f := range change {
		f(&cfg)
	}
	s, err := r.js.CreateStream(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) publish(t testing.TB, subject string, values ...string) {
	t.Helper()
	for _, v := range values {
		if _, err := r.js.Publish(t.Context(), subject, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) config(stream string, subjects ...string) natssource.Config {
	return natssource.Config{Server: natssource.Server{URLs: []string{r.URL}}, Stream: stream, Subjects: subjects, Bounded: true}
}

func (r *rig) endless(stream string, subjects ...string) natssource.Config {
	cfg := r.config(stream, subjects...)
	cfg.Bounded = false
	return cfg
}

func numbered(prefix string, n int) []string {
	vs := make([]string, n)
	for i := range vs {
		vs[i] = fmt.Sprint(prefix, i)
	}
	return vs
}

func splitsOf[T any](t testing.TB, src sources.Source[T], known ...string) []flow.Split {
	t.Helper()
	found, err := src.Splits(context.Background(), known)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func open[T any](t testing.TB, src sources.Source[T], s flow.Split, from flow.Position) sources.Reader[T] {
	t.Helper()
	r, err := src.Open(context.Background(), s, from)
	if err != nil {
		t.Fatalf("open %q: %v", s.ID, err)
	}
	return r
}

func room[T any](n int) *sources.Batch[T] {
	return &sources.Batch[T]{Records: make([]flow.Record[T], 0, n)}
}

// take reads n records and dead letters, or to the end when n is negative.
func take[T any](t testing.TB, r sources.Reader[T], n int) (vs []T, bad []flow.DeadLetter, at flow.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for n < 0 || len(vs)+len(bad) < n {
		b := room[T](100)
		err := r.Read(ctx, b)
		for _, rec := range b.Records {
			vs = append(vs, rec.Value)
		}
		bad = append(bad, b.Bad...)
		at = slices.Clone(b.Next)
		if errors.Is(err, io.EOF) && len(vs)+len(bad) >= n {
			return vs, bad, at
		}
		if err != nil {
			t.Fatalf("behind %d records: %v", len(vs), err)
		}
	}
	return vs, bad, at
}

// readAll reads all splits of a bounded source to their ends.
func readAll[T any](t testing.TB, src sources.Source[T]) map[string][]T {
	t.Helper()
	got := map[string][]T{}
	for _, s := range splitsOf(t, src) {
		r := open(t, src, s, s.Start)
		got[s.ID], _, _ = take(t, r, -1)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	return got
}

// failure reads until an error.
func failure[T any](t testing.TB, r sources.Reader[T]) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		b := room[T](100)
		if err := r.Read(ctx, b); err != nil {
			return err
		}
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
