//go:build !integration

package kafkasink_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
)

// cutter is a listener whose connections are cut, when it is on, instead of an answer: what was asked for is done, and
// who asked cannot know.
type cutter struct {
	net.Listener
	*cuts
}

type cuts struct {
	mu  sync.Mutex
	rng *rand.Rand
	one int // in so many answers is lost
	on  bool
	n   int
}

func (c *cuts) cut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on || c.rng.IntN(c.one) != 0 {
		return false
	}
	c.n++
	return true
}

func (c *cuts) turn(on bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = on
	return c.n
}

func (c cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return cutConn{conn, c.cuts}, err
}

type cutConn struct {
	net.Conn
	cuts *cuts
}

func (c cutConn) Write(p []byte) (int, error) {
	if c.cuts.cut() {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// TestNothingIsLostDoubledOrMovedByFaults: answers are lost and leaders move while records are written; then each
// partition holds its records once and in order, since the brokers tell a batch that was sent again by its sequence.
func TestNothingIsLostDoubledOrMovedByFaults(t *testing.T) {
	t.Parallel() // it mostly waits
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	c := &cuts{rng: rand.New(rand.NewPCG(seed, 1)), one: 6}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr)
		return cutter{l, c}, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := connect(t, cluster.ListenAddrs())
	const partitions, records, perBatch = 4, 3000, 20
	topic := b.create(t, partitions)
	cfg := config(b, topic)
	cfg.BatchBytes = 2000
	w := open[string](t, kafkasink.New(cfg, codec.String))
	batch := &flow.Batch[string]{}
	for i := 0; i < records; i += perBatch {
		batch.Reset()
		for k := range perBatch {
			batch.Records = append(batch.Records, flow.Record[string]{TimeNS: 1e18, Value: strconv.Itoa(i + k)})
		}
		if err := w.Write(t.Context(), batch); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		c.turn(true)
		if rng.IntN(10) == 0 {
			if err := cluster.MoveTopicPartition(topic, rng.Int32N(partitions), rng.Int32N(3)); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(8) == 0 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	n := c.turn(false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for p, got := range b.partitions(t, topic, partitions) {
		if len(got) != records/partitions {
			t.Fatalf("seed %d, partition %d: %d records, want %d", seed, p, len(got), records/partitions)
		}
		for k, r := range got {
			if want := strconv.Itoa(k*partitions + p); string(r.Value) != want {
				t.Fatalf("seed %d, partition %d, record %d: %s, want %s", seed, p, k, r.Value, want)
			}
		}
	}
	if n < 5 {
		t.Errorf("seed %d: only %d answers were lost", seed, n)
	}
}

// TestUndeliveredFails: when the broker stays away the write fails after the time given, and says why.
func TestUndeliveredFails(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := connect(t, cluster.ListenAddrs())
	topic := b.create(t, 1)
	cfg := config(b, topic)
	cfg.DeliveryTimeout = 200 * time.Millisecond
	w := open[string](t, kafkasink.New(cfg, codec.String))
	defer w.Close()
	one := &flow.Batch[string]{Records: []flow.Record[string]{{Value: "a"}}}
	if err := errors.Join(w.Write(t.Context(), one), w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	if err := w.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	mustSay(t, w.Flush(t.Context()), topic+"/0", "not delivered for 200ms", b.seeds[0])
}

// TestRefusalsFail at once, when sending again cannot help.
func TestRefusalsFail(t *testing.T) {
	for code, want := range map[*kerr.Error]string{
		kerr.OutOfOrderSequenceNumber: "lost what it knew",
		kerr.InvalidTimestamp:         "Sink.Time",
		kerr.TopicAuthorizationFailed: "not authorized",
	} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		b := connect(t, cluster.ListenAddrs())
		topic := b.create(t, 1)
		cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			return refusal(req, topic, code.Code), nil, true
		})
		w := open[string](t, kafkasink.New(config(b, topic), codec.String))
		if err := w.Write(t.Context(), &flow.Batch[string]{Records: []flow.Record[string]{{Value: "a"}}}); err != nil {
			t.Fatal(err)
		}
		mustSay(t, w.Flush(t.Context()), topic+"/0", want)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cluster.Close()
	}
}

func refusal(req kmsg.Request, topic string, code int16) kmsg.Response {
	res := req.ResponseKind().(*kmsg.ProduceResponse)
	part := kmsg.NewProduceResponseTopicPartition()
	part.ErrorCode = code
	rt := kmsg.NewProduceResponseTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, part)
	res.Topics = append(res.Topics, rt)
	return res
}

// TestWaitsEndWithTheirContext while no answer comes; and closing does not wait for one.
func TestWaitsEndWithTheirContext(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := connect(t, cluster.ListenAddrs())
	topic := b.create(t, 1)
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() { <-held })
		return nil, nil, false
	})
	cfg := config(b, topic)
	cfg.BatchBytes, cfg.BufferBytes = 10, 10
	w := open[string](t, kafkasink.New(cfg, codec.String))
	one := &flow.Batch[string]{Records: []flow.Record[string]{{Value: "a"}}}
	if err := w.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush: %v", err)
	}
	if err := w.Write(ctx, one); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestPanicOfAFunctionLeavesNothingLocked: the engine recovers it and closes the writer.
func TestPanicOfAFunctionLeavesNothingLocked(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := connect(t, cluster.ListenAddrs())
	var w sinks.Writer[string] = open[string](t, kafkasink.New(config(b, b.create(t, 1)), codec.String).Key(func(string) []byte { panic("mine") }))
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = w.Write(t.Context(), &flow.Batch[string]{Records: make([]flow.Record[string], 1)})
	}()
	if err := errors.Join(w.Flush(t.Context()), w.Close()); err != nil {
		t.Error(err)
	}
}
