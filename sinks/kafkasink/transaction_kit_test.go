package kafkasink_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

func exactlyOnce(b *broker, topic string) kafkasink.Config {
	cfg := config(b, topic)
	cfg.Guarantee = kafkasink.ExactlyOnce
	cfg.TransactionalIDPrefix = topic // the broker may be shared with other tests
	return cfg
}

// task is the writer of task 0.
type task struct {
	t testing.TB
	sinks.Writer[string]
	sinks.Committer
}

// start is what the engine does with a new attempt, in a process of its own. The writer is closed when the test ends.
func start(t testing.TB, cfg kafkasink.Config, attempt flow.Attempt, tokens ...[]byte) (task, error) {
	t.Helper()
	s := kafkasink.New(cfg, codec.String)
	at := sinktest.At(0, 1, attempt)
	w, err := s.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	var prepared []sinks.Prepared
	for i, token := range tokens {
		prepared = append(prepared, sinks.Prepared{Attempt: attempt - 1, Epoch: flow.Epoch(i + 1), Token: token})
	}
	return task{t, w, w.(sinks.Committer)}, s.Recover(t.Context(), at, prepared)
}

func mustStart(t testing.TB, cfg kafkasink.Config, attempt flow.Attempt, tokens ...[]byte) task {
	t.Helper()
	w, err := start(t, cfg, attempt, tokens...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w task) write(values ...string) {
	w.t.Helper()
	if err := w.tryWrite(values...); err != nil {
		w.t.Fatal(err)
	}
}

func (w task) tryWrite(values ...string) error {
	b := &flow.Batch[string]{}
	for _, v := range values {
		b.Records = append(b.Records, flow.Record[string]{TimeNS: 1e18, Value: v})
	}
	return w.Write(w.t.Context(), b)
}

func (w task) prepare(epoch flow.Epoch) []byte {
	w.t.Helper()
	token, err := w.Prepare(w.t.Context(), epoch)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w task) commit(tokens ...[]byte) {
	w.t.Helper()
	if err := w.Commit(w.t.Context(), tokens); err != nil {
		w.t.Fatal(err)
	}
}

func (b *broker) shows(t testing.TB, topic string, want ...string) {
	t.Helper()
	got := b.committed(t, topic, len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("readers of committed records see %q, want %q", got, want)
	}
}

// settles waits until readers of committed records are kept from nothing.
func (b *broker) settles(t testing.TB, topic string) {
	t.Helper()
	for began := time.Now(); b.undecided(t, topic) > 0; {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d offsets of %s are undecided", b.undecided(t, topic), topic)
		}
	}
}

// resting is a sink whose writers have come to rest when another attempt begins. A real broker refuses a new producer to who has
// slept through one; kfake gives it one.
type resting struct {
	kafkasink.Sink[string]
	opened *[]sinks.Writer[string]
	quiet  func(f func())
}

func (r resting) Check(ctx context.Context) (err error) {
	r.quiet(func() { err = r.Sink.Check(ctx) })
	return err
}

func (r resting) Open(ctx context.Context, at sinks.Instance) (sinks.Writer[string], error) {
	w, err := r.Sink.Open(ctx, at)
	*r.opened = append(*r.opened, w)
	return w, err
}

// transactional is the suite's case on a broker. quiet is called around what the test itself asks.
func transactional(b *broker, change func(*kafkasink.Config), quiet func(f func())) sinktest.TransactionalCase[string] {
	return sinktest.TransactionalCase[string]{
		New: func(t *testing.T) (func() sinks.Sink[string], func(*testing.T, int) []string) {
			var topic string
			quiet(func() { topic = b.create(t, 2) })
			cfg := exactlyOnce(b, topic)
			change(&cfg)
			opened := &[]sinks.Writer[string]{}
			sink := func() sinks.Sink[string] {
				if !shared {
					for _, w := range *opened {
						kafkasink.Rest(w)
					}
				}
				return resting{kafkasink.New(cfg, codec.String), opened, quiet}
			}
			return sink, func(t *testing.T, n int) (seen []string) {
				quiet(func() { seen = b.committed(t, topic, n) })
				return seen
			}
		},
		Value:     strconv.Itoa,
		Histories: histories,
	}
}

func TestTransactionsConform(t *testing.T) {
	b := connect(t, seeds(t))
	sinktest.RunTransactional(t, transactional(b, func(*kafkasink.Config) {}, func(f func()) { f() }))
}
