package runner_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafka is an in-process model of a broker (kfake): it proves nothing about transactions on a real one.
type kafka struct {
	addr   string
	client *kgo.Client
}

// newKafka starts a broker with topics of three partitions.
func newKafka(t *testing.T, topics ...string) *kafka {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &kafka{cluster.ListenAddrs()[0], client}
}

// fill writes n records to a topic, dealt round to its partitions, with keys of ten kinds.
func (k *kafka) fill(t *testing.T, topic string, n int) {
	t.Helper()
	at := time.UnixMilli(1_800_000_000_000)
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{
			Topic: topic, Partition: int32(i % 3), Key: fmt.Append(nil, "key-", i%10), Value: fmt.Append(nil, "Value ", i%7, " in ", topic),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(strconv.Itoa(i))}}, Timestamp: at.Add(time.Duration(i%5) * time.Second),
		})
	}
	if err := k.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// all reads n committed records of a topic, per partition in order.
func (k *kafka) all(t *testing.T, topic string, n int) (records []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records of %s: %v", len(records), n, topic, err)
		}
		records = append(records, fetches.Records()...)
	}
	if len(records) > n {
		t.Fatalf("%d records in %s, want %d", len(records), topic, n)
	}
	return records
}

// whole is all of a record that a copy must keep.
func whole(r *kgo.Record) string {
	return fmt.Sprintf("%s=%s %v %v", r.Key, r.Value, r.Headers, r.Timestamp.UnixMilli())
}

func (k *kafka) run(t *testing.T, job string, args ...string) {
	t.Helper()
	command(t, append([]string{"run", job, "--brokers", k.addr, "--state-dir", filepath.Join(t.TempDir(), "state")}, args...)...).want(t, 0)
}

// The copies are whole under every trigger.
func TestKafkaCopies(t *testing.T) {
	for job, args := range map[string][]string{
		"kafka-copy":        {"--topic", "a"},
		"kafka-repartition": {"--topic", "a", "--to-tasks", "5", "--by-key"},
		"kafka-union":       {"--topic", "a,b"},
	} {
		for trigger, more := range map[string][]string{
			"real-time":     {"--until-end"},
			"micro-batch":   {"--until-end", "--max-records-per-batch", "300"},
			"available-now": {"--max-records-per-batch", "400"},
		} {
			t.Run(job+", "+trigger, func(t *testing.T) {
				copyAll(t, job, slices.Concat(args, []string{"--to", "out", "--trigger", trigger}, more))
			})
		}
	}
}

func copyAll(t *testing.T, job string, args []string) {
	t.Helper()
	const n = 3000
	k := newKafka(t, "a", "b", "out")
	topics := []string{"a"}
	if job == "kafka-union" {
		topics = append(topics, "b")
	}
	want := map[string]int{}
	for _, topic := range topics {
		k.fill(t, topic, n)
		for _, r := range k.all(t, topic, n) {
			want[whole(r)]++
		}
	}
	k.run(t, job, args...)
	got := map[string]int{}
	for _, r := range k.all(t, "out", n*len(topics)) {
		got[whole(r)]++
	}
	if !maps.Equal(got, want) {
		t.Fatalf("the copy differs: %d different records of %d", len(got), len(want))
	}
}

func TestKafkaRepartitionDealtRound(t *testing.T) {
	k := newKafka(t, "a", "out")
	k.fill(t, "a", 1000)
	k.run(t, "kafka-repartition", "--topic", "a", "--to", "out", "--records", "700")
	k.all(t, "out", 700)
}

// counted are the jobs that count Kafka's records, and by what; nil: by words.
var counted = map[string]func(*kgo.Record) string{
	"keyed-count":    func(r *kgo.Record) string { return string(r.Key) },
	"count-by-value": stampedKey,
	"union-count":    stampedKey,
	"wordcount":      nil,
}

func TestKafkaCounts(t *testing.T) {
	for job := range counted {
		t.Run(job, func(t *testing.T) { countAll(t, job) })
	}
}

// countAll wants of each key the counts 1, 2, 3, … up to the input's.
func countAll(t *testing.T, job string, more ...string) {
	t.Helper()
	const n = 2000
	key := counted[job]
	k := newKafka(t, "a", "b", "out")
	topics, total := []string{"a"}, n
	if job == "union-count" {
		topics, total = []string{"a", "b"}, 2*n
	}
	want := map[string]int{}
	for _, topic := range topics {
		k.fill(t, topic, n)
		for _, r := range k.all(t, topic, n) {
			if key != nil {
				want[key(r)]++
				continue
			}
			for _, w := range strings.Fields(strings.ToLower(string(r.Value))) {
				want[w]++
			}
		}
	}
	if key == nil {
		total = 4 * n // words
	}
	k.run(t, job, append(more, "--topic", strings.Join(topics, ","), "--to", "out", "--until-end")...)
	got := map[string]int{}
	for _, r := range k.all(t, "out", total) {
		if got[string(r.Key)]++; string(r.Value) != strconv.Itoa(got[string(r.Key)]) {
			t.Fatalf("key %s: %s, want %d", r.Key, r.Value, got[string(r.Key)])
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func stampedKey(r *kgo.Record) string {
	return r.Timestamp.UTC().Format(time.RFC3339Nano) + "," + string(r.Value)
}

func TestKafkaTTLState(t *testing.T) {
	k := newKafka(t, "a", "out")
	k.fill(t, "a", 100)
	k.run(t, "ttl-state", "--topic", "a", "--to", "out", "--until-end")
	seen := map[string]int{}
	for _, r := range k.all(t, "out", 100) {
		seen[string(r.Key)]++
		n := seen[string(r.Key)]
		if want := fmt.Sprintf(`{"key":"%s","value":%d,"list":%d,"map":%d,"source_ns":1800000`, r.Key, n, n, n); !strings.HasPrefix(string(r.Value), want) {
			t.Fatalf("got %s, want %s…", r.Value, want)
		}
	}
}
