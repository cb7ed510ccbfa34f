//go:build integration

package integration

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources"
)

const (
	outputRecords    = 40_000
	outputPerSecond  = 8_000
	outputPartitions = 3
)

// TestKafkaOutputExactlyOnce: a job with transactions panics at random, is stopped and is started again with another number of tasks.
// Readers of committed records get each record once, and nothing is left that hides records from them.
func TestKafkaOutputExactlyOnce(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	client := connect(t)
	topic := createTopic(t, client, "output", outputPartitions)
	dir := t.TempDir()
	var made, panics, runs atomic.Int64
	for finished := false; !finished; runs.Add(1) {
		nextPanic := made.Load() + rng.Int64N(6000)
		job := millrace.NewJob("output")
		job.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 3, PerSecond: outputPerSecond, Count: outputRecords}, func(i int64) int64 { return i })).
			Map("fail", func(i int64) string {
				if n := made.Add(1); n == nextPanic {
					panics.Add(1)
					panic("at random")
				}
				return strconv.FormatInt(i, 10)
			}).
			To("out", kafkasink.New(kafkasink.Config{
				Brokers: []string{broker()}, Topic: topic, Guarantee: kafkasink.ExactlyOnce, TransactionalIDPrefix: topic,
			}, codec.String))
		q, err := job.Start(t.Context(), millrace.Config{StateDir: dir, Parallelism: 1 + rng.IntN(3), RestartMin: 10 * time.Millisecond})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		inTime, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond+time.Duration(rng.IntN(1000))*time.Millisecond)
		err = q.Await(inTime)
		cancel()
		finished = err == nil
		if errors.Is(err, context.DeadlineExceeded) {
			err = q.Stop(t.Context())
		}
		if err != nil && !strings.Contains(err.Error(), "at random") { // a panic while it stops ends the run
			t.Fatalf("seed %d: run %d: %v", seed, runs.Load(), err)
		}
	}
	t.Logf("seed %d: %d runs, %d panics, %d records made for %d", seed, runs.Load(), panics.Load(), made.Load(), outputRecords)
	if panics.Load() == 0 || runs.Load() < 3 {
		t.Errorf("seed %d: %d panics in %d runs: this test proves nothing", seed, panics.Load(), runs.Load())
	}
	eachOnce(t, topic, seed)
}

// eachOnce reads the committed records of a topic, up to marks that are written now: these are seen when nothing before is open.
func eachOnce(t *testing.T, topic string, seed uint64) {
	t.Helper()
	client := connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for p := range int32(outputPartitions) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: []byte("mark")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := map[string]int{}
	for seen["mark"] < outputPartitions {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("seed %d: %d records seen, %d of %d marks: %v", seed, len(seen), seen["mark"], outputPartitions, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	delete(seen, "mark")
	wrong := 0
	for i := range int64(outputRecords) {
		if n := seen[strconv.FormatInt(i, 10)]; n != 1 {
			wrong++
			if wrong <= 10 {
				t.Errorf("seed %d: record %d is there %d times", seed, i, n)
			}
		}
	}
	if wrong > 0 || len(seen) != outputRecords {
		t.Errorf("seed %d: %d records are not there once; %d different ones are there, want %d", seed, wrong, len(seen), outputRecords)
	}
}
