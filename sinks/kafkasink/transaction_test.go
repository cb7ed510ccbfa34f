package kafkasink_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

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
	mustSay(t, prepared.Commit(t.Context(), [][]byte{token}), `operator "sink"`, "epoch 1", topic, "lost", "is fenced")
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
