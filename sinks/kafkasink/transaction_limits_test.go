package kafkasink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// TestEpochsOfAProducerRunOut: they are int16. The broker then gives the transactional id another producer.
func TestEpochsOfAProducerRunOut(t *testing.T) {
	prefix := fmt.Sprintf("millrace-test-%x", rand.Uint64()) // the broker may be shared with other tests
	id := prefix + "-lineage-sink-0-0.1"                     // the first of attempt 1
	b, newest := aged(t, id)
	tx := transactionOf(t, b, id)
	for newest.Epoch < 32760 {
		var err error
		if newest, err = tx.Init(t.Context(), newest, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.TransactionalIDPrefix = prefix
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

// TestTokenOfAnotherLineage, from which this one began: it is published, and the other goes on undisturbed.
func TestTokenOfAnotherLineage(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	w := mustStart(t, cfg, 1)
	var first []byte
	for e := range 3 { // the third is written under the id of the first
		w.write(strconv.Itoa(e))
		if e == 2 {
			break
		}
		token := w.prepare(flow.Epoch(e + 1))
		w.commit(token)
		if e == 0 {
			first = token
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := sinktest.At(0, 1, 1)
	at.Lineage = "another"
	if err := kafkasink.New(cfg, codec.String).Recover(t.Context(), at, []sinks.Prepared{{Attempt: 1, Epoch: 1, Token: first}}); err != nil {
		t.Fatal(err)
	}
	b.shows(t, topic, "0", "1")
	w.commit(w.prepare(3))
	b.shows(t, topic, "0", "1", "2")
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
	if m.Commits() != sinks.PerEpoch || !strings.HasPrefix(m.Guarantee(), "exactly-once") || m.PreparedFor() != 15*time.Minute {
		t.Errorf("with transactions: %v, %q, %v", m.Commits(), m.Guarantee(), m.PreparedFor())
	}
}
