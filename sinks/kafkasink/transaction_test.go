package kafkasink_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/kafka"
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

// TestRecoverFreesReaders: what an attempt left open or prepared, and is in no record, hides nothing from readers any more.
func TestRecoverFreesReaders(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	w := mustStart(t, cfg, 1)
	w.write("prepared")
	w.prepare(1)
	w.write("open")
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	plain := config(b, topic)
	writeAll(t, kafkasink.New(plain, codec.String), "other")
	b.shows(t, topic)
	if b.undecided(t, topic) == 0 {
		t.Fatal("the transactions hide nothing: this test proves nothing")
	}
	mustStart(t, cfg, 2)
	b.settles(t, topic)
	b.shows(t, topic, "other")
}

// TestZombieIsShutOut: a writer that slept while the next attempt recovered can neither write nor commit, and is told why.
func TestZombieIsShutOut(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	writing := mustStart(t, cfg, 1)
	writing.write("a")
	cfg2 := cfg
	cfg2.TransactionalIDPrefix += "-2"
	prepared := mustStart(t, cfg2, 1)
	prepared.write("b")
	token := prepared.prepare(1)
	cfg3 := cfg
	cfg3.TransactionalIDPrefix += "-3"
	fresh := mustStart(t, cfg3, 1)
	for _, c := range []kafkasink.Config{cfg, cfg2, cfg3} {
		mustStart(t, c, 2)
	}
	for name, w := range map[string]task{"writing": writing, "fresh": fresh} {
		err := w.tryWrite("more")
		if err == nil {
			_, err = w.Prepare(t.Context(), 2)
		}
		if !errors.Is(err, sinks.ErrFenced) {
			t.Errorf("%s: got error %v, want %v", name, err, sinks.ErrFenced)
		}
	}
	mustSay(t, prepared.Commit(t.Context(), [][]byte{token}), `operator "sink"`, "epoch 1", topic, "lost")
	b.settles(t, topic)
	b.shows(t, topic)
}

// TestZombieOfOneProcess: the same sink has recovered for a newer attempt.
func TestZombieOfOneProcess(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	s := kafkasink.New(exactlyOnce(b, topic), codec.String)
	var ws []task
	for attempt := flow.Attempt(1); attempt <= 2; attempt++ {
		w, err := s.Open(t.Context(), sinktest.At(0, 1, attempt))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		ws = append(ws, task{t, w, w.(sinks.Committer)})
	}
	mustSay(t, ws[1].tryWrite("early"), "before Recover")
	if err := s.Recover(t.Context(), sinktest.At(0, 1, 2), nil); err != nil {
		t.Fatal(err)
	}
	ws[1].write("new")
	if err := ws[0].tryWrite("old"); !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("got error %v, want %v", err, sinks.ErrFenced)
	}
	ws[1].commit(ws[1].prepare(1))
	b.shows(t, topic, "new")
}

// transactionOf asks the coordinator for itself.
func transactionOf(t testing.TB, b *broker, id string) *kafka.Transactions {
	tx := kafka.Cluster{Brokers: b.seeds}.Transactions(id, 10*time.Second)
	t.Cleanup(tx.Close)
	return tx
}

// TestLateCommitMeetsNoNewerTransaction: the commit of a token that is repeated, however late, never commits what is written
// under the same transactional id since.
func TestLateCommitMeetsNoNewerTransaction(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	w := mustStart(t, cfg, 1)
	var tokens [][]byte
	for e := range 3 { // the third is written under the id of the first
		w.write(strconv.Itoa(e))
		tokens = append(tokens, w.prepare(flow.Epoch(e+1)))
		if e < 2 {
			w.commit(tokens[e])
		}
	}
	id, producer := kafkasink.Decode(t, tokens[0])
	if third, _ := kafkasink.Decode(t, tokens[2]); third != id {
		t.Fatalf("the third transaction is %q's, the first %q's: this test proves nothing", third, id)
	}
	if err := transactionOf(t, b, id).Commit(t.Context(), producer); !kafka.IsRefusal(err) {
		t.Errorf("the first commit again: %v, want a refusal", err)
	}
	b.shows(t, topic, "0", "1")
	w.write("open") // and now one that is not even prepared
	w2 := mustStart(t, cfg, 2, tokens[0], tokens[1])
	b.settles(t, topic)
	b.shows(t, topic, "0", "1")
	w2.write("2 again")
	w2.commit(w2.prepare(3))
	b.shows(t, topic, "0", "1", "2 again")
}

// TestCommitTwice is what a lost answer leads to.
func TestCommitTwice(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	w := mustStart(t, cfg, 1)
	w.write("a")
	token := w.prepare(1)
	id, producer := kafkasink.Decode(t, token)
	for range 2 {
		if err := transactionOf(t, b, id).Commit(t.Context(), producer); err != nil {
			t.Fatal(err)
		}
	}
	w.commit(token)
	mustSay(t, w.Commit(t.Context(), [][]byte{token}), "has committed")
	for attempt := range 3 {
		mustStart(t, cfg, flow.Attempt(attempt+2), token)
	}
	b.shows(t, topic, "a")
}

// TestTransactionTimesOut between Prepare and Commit: the epoch is lost, and everybody who asks is told.
func TestTransactionTimesOut(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.TransactionTimeout = time.Second // a slow machine must come to Prepare before
	w := mustStart(t, cfg, 1)
	w.write("a")
	token := w.prepare(7)
	b.settles(t, topic)
	mustSay(t, w.Commit(t.Context(), [][]byte{token}), `operator "sink"`, "epoch 7", topic, "lost", "TransactionTimeout of 1s")
	for attempt := flow.Attempt(2); attempt < 4; attempt++ { // an error does not heal by being asked again
		_, err := start(t, cfg, attempt, token)
		mustSay(t, err, `operator "sink"`, "epoch 1", topic, "lost")
	}
	b.shows(t, topic)
}

// TestOpenForTooLong: a transaction that timed out before Prepare takes nothing with it but the attempt.
func TestOpenForTooLong(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.TransactionTimeout = 50 * time.Millisecond
	w := mustStart(t, cfg, 1)
	w.write("a")
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settles(t, topic)
	_, err := w.Prepare(t.Context(), 1)
	mustSay(t, err, "TransactionTimeout of 50ms")
	if errors.Is(err, sinks.ErrFenced) {
		t.Errorf("%v: nobody took over", err)
	}
	cfg.TransactionTimeout = time.Minute
	w = mustStart(t, cfg, 2)
	w.write("b")
	w.commit(w.prepare(1))
	b.shows(t, topic, "b")
}

// TestEpochsOfAProducerRunOut: they are int16. The broker then gives the transactional id another producer.
func TestEpochsOfAProducerRunOut(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	id := topic + "-lineage-sink-0-0"
	tx := transactionOf(t, b, id)
	newest := kafka.NoProducer
	for newest.Epoch < 32760 {
		var err error
		if newest, err = tx.Init(t.Context(), newest, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	w := mustStart(t, cfg, 1)
	var want []string
	var tokens [][]byte
	producers := map[int64]bool{}
	for e := range 20 {
		want = append(want, strconv.Itoa(e))
		w.write(want[e])
		tokens = append(tokens, w.prepare(flow.Epoch(e+1)))
		w.commit(tokens[e])
		if used, p := kafkasink.Decode(t, tokens[e]); used == id {
			producers[p.ID] = true
		}
	}
	if len(producers) != 2 {
		t.Errorf("the id had %d producers, want 2", len(producers))
	}
	mustStart(t, cfg, 2, tokens...) // all are known to be committed, whoever wrote them
	b.shows(t, topic, want...)
}

func TestTimeoutThatTheBrokersRefuse(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.TransactionTimeout = 16 * time.Minute
	mustSay(t, kafkasink.New(cfg, codec.String).Check(t.Context()), "16m0s", "Config.TransactionTimeout to 15m0s", "transaction.max.timeout.ms")
	_, err := start(t, cfg, 1)
	mustSay(t, err, "Config.TransactionTimeout", "transaction.max.timeout.ms")
	for _, cfg := range []kafkasink.Config{
		{Brokers: b.seeds, Topic: topic, Guarantee: 7},
		{Brokers: b.seeds, Topic: topic, TransactionTimeout: -1},
		{Brokers: b.seeds, Topic: topic, TransactionalIDPrefix: strings.Repeat("x", 200)},
	} {
		if err := kafkasink.New(cfg, codec.String).Check(t.Context()); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestTopicGone: what cannot be known is not taken for published.
func TestTopicGone(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.DeliveryTimeout = time.Second
	w := mustStart(t, cfg, 1)
	w.write("a")
	token := w.prepare(1)
	w.commit(token)
	mustStart(t, cfg, 2, token) // the coordinator does not know the token's transaction any more, the log does
	b.remove(t, topic)
	_, err := start(t, cfg, 3, token)
	mustSay(t, err, "epoch 1", topic, "cannot be known")
}

// TestTransactionsNoMore: the last transactions of a job are published although it is configured without, now.
func TestTransactionsNoMore(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	w := mustStart(t, cfg, 1)
	w.write("prepared")
	token := w.prepare(1)
	w.write("open")
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Guarantee = kafkasink.AtLeastOnce
	err := kafkasink.New(cfg, codec.String).Recover(t.Context(), sinktest.At(0, 1, 2), []sinks.Prepared{{Attempt: 1, Epoch: 1, Token: token}})
	if err != nil {
		t.Fatal(err)
	}
	b.settles(t, topic)
	b.shows(t, topic, "prepared")
}

func TestGuarantees(t *testing.T) {
	cfg := kafkasink.Config{Brokers: []string{"127.0.0.1:1"}, Topic: "t"}
	s := kafkasink.New(cfg, codec.String)
	if s.Commits() != sinks.AtOnce || s.Guarantee() != "at-least-once" {
		t.Errorf("by default: %v, %q", s.Commits(), s.Guarantee())
	}
	if err := s.Recover(context.Background(), sinktest.At(0, 1, 1), nil); err != nil {
		t.Error(err)
	}
	cfg.Guarantee = kafkasink.ExactlyOnce
	m := kafkasink.Messages(cfg)
	if m.Commits() != sinks.PerEpoch || m.Guarantee() != "exactly-once" || m.PreparedFor() != 15*time.Minute {
		t.Errorf("with transactions: %v, %q, %v", m.Commits(), m.Guarantee(), m.PreparedFor())
	}
}
