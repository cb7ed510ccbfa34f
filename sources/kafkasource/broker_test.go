package kafkasource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// broker is a cluster under test, and another client of it.
type broker struct {
	seeds  []string
	client *kgo.Client
}

func start(t testing.TB, opts ...kgo.Opt) *broker {
	t.Helper()
	return connect(t, seeds(t), opts...)
}

func connect(t testing.TB, addrs []string, opts ...kgo.Opt) *broker {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &broker{addrs, client}
}

// request sends a request that has to succeed.
func request[R kmsg.Response](t testing.TB, b *broker, req kmsg.Request) R {
	t.Helper()
	res, err := b.client.Request(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res.(R)
}

// create makes a topic with a name of its own and removes it at the end.
func (b *broker) create(t testing.TB, partitions int) string {
	t.Helper()
	name := fmt.Sprintf("millrace-test-%x", rand.Uint64())
	b.createAs(t, name, partitions)
	return name
}

func (b *broker) createAs(t testing.TB, name string, partitions int, configs ...string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res := request[*kmsg.CreateTopicsResponse](t, b, req)
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	if shared {
		t.Cleanup(func() { b.remove(name) })
	}
}

func (b *broker) remove(name string) {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), []string{name}, 10_000
	_, _ = b.client.Request(context.Background(), req)
}

// grow gives a topic more partitions.
func (b *broker) grow(t testing.TB, name string, partitions int) {
	t.Helper()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, int32(partitions)
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res := request[*kmsg.CreatePartitionsResponse](t, b, req)
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

// truncate deletes the records of a partition before offset.
func (b *broker) truncate(t testing.TB, name string, partition int32, offset int64) {
	t.Helper()
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = name, append(topic.Partitions, part)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res := request[*kmsg.DeleteRecordsResponse](t, b, req)
	if err := kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

func (b *broker) produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	if err := b.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// values produces one record per value, each acknowledged on its own: each is a batch.
func (b *broker) values(t testing.TB, topic string, partition int32, vs ...string) {
	t.Helper()
	for _, v := range vs {
		b.produce(t, record(topic, partition, v))
	}
}

// record has a timestamp, so that the order of timestamps is that of the values.
func record(topic string, partition int32, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value), Timestamp: time.UnixMilli(1_700_000_000_000)}
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

// follow reads the first partition of a topic, which does not end. The caller closes the reader.
func follow(t testing.TB, b *broker, topic string) (*kafkasource.Source[string], flow.Split, sources.Reader[string]) {
	t.Helper()
	cfg := config(b, topic)
	cfg.Bounded = false
	src := kafkasource.New(cfg, codec.String)
	s := splitsOf(t, src)[0]
	return src, s, open(t, src, s, s.Start)
}

// take reads n records, or to the end when n is negative.
func take[T any](t testing.TB, r sources.Reader[T], n int) (vs []T, bad []flow.DeadLetter, at flow.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 100)}
	for n < 0 || len(vs)+len(bad) < n {
		b.Reset()
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

func config(b *broker, topics ...string) kafkasource.Config {
	return kafkasource.Config{Brokers: b.seeds, Topics: topics, Bounded: true}
}

// again creates a topic that was just removed, as soon as the cluster lets it.
func (b *broker) again(t testing.TB, name string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	for {
		res := request[*kmsg.CreateTopicsResponse](t, b, req)
		err := kerr.ErrorForCode(res.Topics[0].ErrorCode)
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Fatal(err)
		}
	}
}
