//go:build integration

package integration

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The listeners of scripts/kafka.sh, and who may use the second.
const (
	saslListener = "127.0.0.1:9094"
	tlsListener  = "127.0.0.1:9095"
	saslUser     = "millrace"
	saslPassword = "millrace-secret"
)

// broker is the address of the real broker, which must be running.
func broker() string { return cmp.Or(os.Getenv("MILLRACE_KAFKA"), "127.0.0.1:9092") }

// authority is the file with the certificate that signed the broker's.
func authority() string {
	return filepath.Join(cmp.Or(os.Getenv("MILLRACE_KAFKA_DIR"), filepath.Join("..", ".kafka")), "tls", "ca.pem")
}

// connect makes a client of a library that the engine does not use.
func connect(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(broker())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// createTopic makes a topic with a name of its own and removes it at the end.
func createTopic(t *testing.T, c *kgo.Client, what string, partitions int) string {
	t.Helper()
	name := fmt.Sprintf("millrace-integration-%s-%x", what, rand.Uint64())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTopic(t, c, name) })
	return name
}

func removeTopic(t *testing.T, c *kgo.Client, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), []string{name}, 10_000
	if _, err := req.RequestWith(ctx, c); err != nil {
		t.Errorf("remove topic %s: %v", name, err)
	}
}

// consume hands each committed record of a topic to f, from the first on, as long as f wants more.
func consume(ctx context.Context, topic string, f func(*kgo.Record) (more bool), opts ...kgo.Opt) error {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(broker()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if !f(it.Next()) {
				return nil
			}
		}
	}
}

// endWithin is how long the committed records of a topic may take to be read to its end.
const endWithin = time.Minute

// consumeAll hands each committed record of a topic to f, up to its present end, committed or not: a transaction that was left open
// fails the test. It returns how many they are.
func consumeAll(t *testing.T, c *kgo.Client, topic string, partitions int, f func(*kgo.Record)) (n int64) {
	t.Helper()
	left := ends(t, c, topic, partitions)
	if len(left) == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(t.Context(), endWithin)
	defer cancel()
	err := consume(ctx, topic, func(r *kgo.Record) bool {
		if !r.Attrs.IsControl() {
			n++
			f(r)
		}
		if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
			delete(left, r.Partition)
		}
		return len(left) > 0
	}, kgo.KeepControlRecords())
	if err != nil {
		t.Fatalf("%d committed records read, of partitions %v not all up to these ends; is a transaction open? %v", n, left, err)
	}
	return n
}

// ends are the ends of the partitions that have records.
func ends(t *testing.T, c *kgo.Client, topic string, partitions int) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for p := range partitions {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = int32(p), -1
		asked.Partitions = append(asked.Partitions, part)
	}
	req.Topics = append(req.Topics, asked)
	all := map[int32]int64{}
	for _, shard := range c.RequestSharded(t.Context(), req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, part := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				t.Fatal(err)
			}
			if part.Offset > 0 {
				all[part.Partition] = part.Offset
			}
		}
	}
	return all
}

func kafkaFlags(addr, from, to string, more ...string) []string {
	return append([]string{"--brokers", addr, "--topic", from, "--to", to}, more...)
}

// text is what a failed check says of many things: the first few.
func text(all []string) string {
	const few = 10
	if len(all) > few {
		all = append(all[:few:few], fmt.Sprintf("… and %d more", len(all)-few))
	}
	return strings.Join(all, "\n")
}
