package kafkasink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// broker is a cluster under test, and another client of it.
type broker struct {
	seeds  []string
	client *kgo.Client
}

func connect(t testing.TB, addrs []string, opts ...kgo.Opt) *broker {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &broker{addrs, client}
}

func (b *broker) create(t testing.TB, partitions int, configs ...string) string {
	t.Helper()
	name := fmt.Sprintf("millrace-test-%x", rand.Uint64())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res, err := b.client.Request(context.Background(), req)
	if err == nil {
		err = kerr.ErrorForCode(res.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !shared {
		return name
	}
	t.Cleanup(func() { b.remove(t, name) })
	return name
}

func (b *broker) remove(_ testing.TB, name string) {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), []string{name}, 10_000
	_, _ = b.client.Request(context.Background(), req)
}

// partitions reads what is in a topic now, per partition.
func (b *broker) partitions(t testing.TB, topic string, n int) [][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got := make([][]*kgo.Record, n)
	for p := range n {
		end := b.end(t, topic, int32(p))
		reader := connect(t, b.seeds, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(p): kgo.NewOffset().AtStart()}}),
			kgo.FetchMaxWait(100*time.Millisecond))
		for int64(len(got[p])) < end {
			fetches := reader.client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("%s/%d has %d of %d records: %v", topic, p, len(got[p]), end, err)
			}
			got[p] = append(got[p], fetches.Records()...)
		}
		reader.client.Close()
	}
	return got
}

func (b *broker) end(t testing.TB, topic string, partition int32) int64 {
	t.Helper()
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = partition, -1
	lt := kmsg.NewListOffsetsRequestTopic()
	lt.Topic, lt.Partitions = topic, append(lt.Partitions, part)
	req := kmsg.NewPtrListOffsetsRequest()
	req.Topics = append(req.Topics, lt)
	res, err := b.client.Request(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	p := res.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		t.Fatal(err)
	}
	return p.Offset
}

// texts is the values of a partition's records.
func texts(records []*kgo.Record) string {
	vs := make([]string, len(records))
	for i, r := range records {
		if vs[i] = string(r.Value); r.Value == nil {
			vs[i] = "null"
		}
	}
	return strings.Join(vs, " ")
}

func open[T any](t testing.TB, s sinks.Sink[T]) sinks.Writer[T] {
	t.Helper()
	w, err := s.Open(context.Background(), sinktest.At(0, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// writeAll writes values through a sink, flushes and closes.
func writeAll[T any](t testing.TB, s sinks.Sink[T], vs ...T) {
	t.Helper()
	w := open(t, s)
	b := &flow.Batch[T]{}
	for i, v := range vs {
		b.Records = append(b.Records, flow.Record[T]{TimeNS: int64(1_700_000_000+i) * 1e9, Value: v})
	}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func config(b *broker, topic string) kafkasink.Config {
	return kafkasink.Config{Brokers: b.seeds, Topic: topic}
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
}
