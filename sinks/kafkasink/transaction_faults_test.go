//go:build !integration

package kafkasink_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

func fake(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *broker) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster, connect(t, cluster.ListenAddrs())
}

// TestTransactionsConformWithLostAnswers: any answer may be lost, of any request, when what it asked for is done.
func TestTransactionsConformWithLostAnswers(t *testing.T) {
	t.Parallel() // it mostly waits
	seed := rand.Uint64()
	c := &cuts{rng: rand.New(rand.NewPCG(seed, 1)), one: 20}
	_, b := fake(t, kfake.NumBrokers(3), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr)
		return cutter{l, c}, err
	}))
	t.Logf("seed %d", seed)
	suite := transactional(b, func(*kafkasink.Config) {}, func(f func()) {
		c.turn(false)
		f()
		c.turn(true)
	})
	suite.Histories = 5
	sinktest.RunTransactional(t, suite)
	if n := c.turn(false); n < 50 {
		t.Errorf("only %d answers were lost", n)
	}
}

// answer lets the broker answer requests of a kind with code, the first n of them, and says how many it did.
func answer(cluster *kfake.Cluster, key kmsg.Key, code *kerr.Error, n int) *atomic.Int64 {
	done := &atomic.Int64{}
	cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if done.Load() >= int64(n) {
			return nil, nil, false
		}
		done.Add(1)
		res := req.ResponseKind()
		switch r := res.(type) {
		case *kmsg.EndTxnResponse:
			r.ErrorCode = code.Code
		case *kmsg.InitProducerIDResponse:
			r.ErrorCode = code.Code
		case *kmsg.ListTransactionsResponse:
			r.ErrorCode = code.Code
		case *kmsg.AddPartitionsToTxnResponse:
			for _, rt := range req.(*kmsg.AddPartitionsToTxnRequest).Topics {
				st := kmsg.NewAddPartitionsToTxnResponseTopic()
				st.Topic = rt.Topic
				for _, p := range rt.Partitions {
					sp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
					sp.Partition, sp.ErrorCode = p, code.Code
					st.Partitions = append(st.Partitions, sp)
				}
				r.Topics = append(r.Topics, st)
			}
		}
		return res, nil, true
	})
	return done
}

// TestAnswersThatMayChange are asked for again.
func TestAnswersThatMayChange(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID, kmsg.AddPartitionsToTxn} {
		for _, code := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions} {
			cluster, b := fake(t)
			topic := b.create(t, 1)
			asked := answer(cluster, key, code, 3)
			cfg := exactlyOnce(b, topic)
			w := mustStart(t, cfg, 1)
			w.write("a")
			w.commit(w.prepare(1))
			b.shows(t, topic, "a")
			if n := asked.Load(); n != 3 {
				t.Errorf("%v to %v: %d times, want 3", code, key.Name(), n)
			}
		}
	}
}

// TestNoDefiniteAnswer ends the attempt, after the time given, and the next one publishes what was prepared.
func TestNoDefiniteAnswer(t *testing.T) {
	cluster, b := fake(t)
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.DeliveryTimeout = 50 * time.Millisecond
	w := mustStart(t, cfg, 1)
	w.write("a")
	token := w.prepare(3)
	asked := answer(cluster, kmsg.EndTxn, kerr.ConcurrentTransactions, 1<<30)
	mustSay(t, w.Commit(t.Context(), [][]byte{token}), `operator "sink"`, "epoch 3", "no definite answer for 50ms")
	if _, err := start(t, cfg, 2, token); err == nil {
		t.Error("recovered without an answer")
	}
	if asked.Load() < 2 {
		t.Errorf("asked %d times", asked.Load())
	}
	cluster.DropControl()
	asked.Store(1 << 30)
	mustStart(t, cfg, 3, token)
	b.shows(t, topic, "a")
}

// TestRefusedCommitIsProven: a coordinator that refuses a commit says nothing about whether it is done. The log does.
func TestRefusedCommitIsProven(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping} {
		for _, c := range []struct {
			name    string
			before  func(w task, tx *kafka.Transactions, p kafka.Producer) error
			says    []string // of the error; none = it is published
			visible []string
		}{
			{"committed", func(w task, tx *kafka.Transactions, p kafka.Producer) error { return tx.Commit(w.t.Context(), p) }, nil, []string{"a"}},
			{"aborted", func(w task, tx *kafka.Transactions, _ kafka.Producer) error {
				_, err := tx.Init(w.t.Context(), kafka.NoProducer, time.Minute)
				return err
			}, []string{`operator "sink"`, "epoch 5", "lost"}, nil},
			{"open", func(task, *kafka.Transactions, kafka.Producer) error { return nil }, []string{`operator "sink"`, "epoch 5", "cannot be known", "still open"}, nil},
		} {
			t.Run(code.Message+" "+c.name, func(t *testing.T) {
				cluster, b := fake(t)
				topic := b.create(t, 1)
				cfg := exactlyOnce(b, topic)
				cfg.DeliveryTimeout = 100 * time.Millisecond
				w := mustStart(t, cfg, 1)
				w.write("a")
				token := w.prepare(5)
				id, p := kafkasink.Decode(t, token)
				if err := c.before(w, transactionOf(t, b, id), p); err != nil {
					t.Fatal(err)
				}
				answer(cluster, kmsg.EndTxn, code, 1<<30)
				err := w.Commit(t.Context(), [][]byte{token})
				_, again := start(t, cfg, 2, token)
				if c.says == nil && (err != nil || again != nil) {
					t.Errorf("commit: %v, recover: %v", err, again)
				}
				mustSay(t, err, append(c.says, topicOrNothing(c.says, topic)...)...)
				if (again == nil) != (c.says == nil) {
					t.Errorf("recover: %v", again)
				}
				b.shows(t, topic, c.visible...)
			})
		}
	}
}

func topicOrNothing(says []string, topic string) []string {
	if says == nil {
		return nil
	}
	return []string{topic}
}

// TestRecordsGoneFromTheLog, by retention or compaction: nothing is proven.
func TestRecordsGoneFromTheLog(t *testing.T) {
	cluster, b := fake(t)
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	cfg.DeliveryTimeout = 100 * time.Millisecond
	w := mustStart(t, cfg, 1)
	w.write("a")
	token := w.prepare(1)
	w.commit(token)
	if err := cluster.DeleteRecords(topic, 0, 2); err != nil {
		t.Fatal(err)
	}
	// As long as the id was not used again the coordinator knows.
	mustStart(t, cfg, 2, token)
	_, err := start(t, cfg, 3, token)
	mustSay(t, err, "epoch 1", topic, "cannot be known")

	// A topic that was made anew has another transaction's records there.
	if err := errors.Join(cluster.DeleteTopic(topic), cluster.CreateTopic(topic, 1, nil)); err != nil {
		t.Fatal(err)
	}
	writeAll(t, kafkasink.New(config(b, topic), codec.String), "other", "other", "other")
	_, err = start(t, cfg, 4, token)
	mustSay(t, err, "epoch 1", topic, "not the transaction's")
}

// TestErrorInATransaction gives it up whole: nothing of it is prepared, and nothing is seen when the next attempt has recovered.
func TestErrorInATransaction(t *testing.T) {
	for code, want := range map[*kerr.Error]string{
		kerr.OutOfOrderSequenceNumber: "lost what it knew",
		kerr.TopicAuthorizationFailed: "not authorized",
		kerr.InvalidProducerEpoch:     sinks.ErrFenced.Error(),
		kerr.ProducerFenced:           sinks.ErrFenced.Error(),
		kerr.InvalidTxnState:          sinks.ErrFenced.Error(),
	} {
		cluster, b := fake(t)
		topic := b.create(t, 1)
		cfg := exactlyOnce(b, topic)
		w := mustStart(t, cfg, 1)
		w.write("sent")
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			return refusal(req, topic, code.Code), nil, true // once
		})
		w.write("refused")
		_, err := w.Prepare(t.Context(), 1)
		mustSay(t, err, want)
		// The writer is of no more use, also when the broker would take it.
		if err := w.tryWrite("more"); err == nil {
			_, err = w.Prepare(t.Context(), 2)
		}
		if err == nil {
			t.Errorf("%v: the writer goes on", code)
		}
		w = mustStart(t, cfg, 2)
		b.settles(t, topic)
		w.write("again")
		w.commit(w.prepare(1))
		b.shows(t, topic, "again")
	}
}

// TestCoordinatorRefuses what cannot be mended by asking again.
func TestCoordinatorRefuses(t *testing.T) {
	cluster, b := fake(t)
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	answer(cluster, kmsg.AddPartitionsToTxn, kerr.TopicAuthorizationFailed, 1)
	w := mustStart(t, cfg, 1)
	w.write("a")
	_, err := w.Prepare(t.Context(), 1)
	mustSay(t, err, "not authorized", topic)

	answer(cluster, kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, 1)
	_, err = start(t, cfg, 2)
	mustSay(t, err, "Config.TransactionalIDPrefix", "WRITE")

	// A task that is no more may have left a transaction: without the list it would hide records.
	answer(cluster, kmsg.ListTransactions, kerr.ClusterAuthorizationFailed, 1)
	_, err = start(t, cfg, 3)
	mustSay(t, err, "list the transactions")
	answer(cluster, kmsg.ListTransactions, kerr.ClusterAuthorizationFailed, 1)
	mustSay(t, kafkasink.New(cfg, codec.String).Check(t.Context()), "Kafka 3.0", "list the transactions")
}
