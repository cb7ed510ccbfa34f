package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/kafka/topics"
)

func TestMain(m *testing.M) {
	harness.ServePacer()
	// The metrics library under sarama keeps one ticking goroutine per process and has no way to end it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// newCourse has an in-process broker, franz-go's kfake: the protocol is real, speed and durability are not.
func newCourse(t *testing.T) *course {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &course{brokers: cluster.ListenAddrs(), partitions: 2, rate: 1000, records: 5000, window: 300 * time.Millisecond, stateDir: t.TempDir()}
}

// All records of all contestants arrive, or measure would say so; those of the warm-up do not count.
func TestRound(t *testing.T) {
	c := newCourse(t)
	if err := c.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := c.measure(t.Context(), 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all {
		for name, d := range map[string]delay{null: r.null, atLeastOnce: r.atLeastOnce, exactlyOnce: r.exactlyOnce} {
			if n := d.whole.TotalCount(); n != 300 || d.written.TotalCount() != n || d.visible.TotalCount() != n {
				t.Errorf("round %d, %s: %d records measured, want 300", i, name, n)
			}
		}
		if r.atLeastOnceThroughput.Records != c.records || r.exactlyOnceThroughput.PerSecond() <= 0 {
			t.Errorf("round %d: %+v, %+v", i, r.atLeastOnceThroughput, r.exactlyOnceThroughput)
		}
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// send writes records of these numbers.
func (c *course) send(topic string, numbers []int64) error {
	return c.produce(topic, func(send func(*sarama.ProducerMessage)) error {
		for _, i := range numbers {
			send(c.record(topic, i, 0))
		}
		return nil
	})
}

// A record that is lost, repeated or out of order ends the benchmark.
func TestMeterNotices(t *testing.T) {
	c := newCourse(t)
	var err error
	if c.topics, err = topics.Open(c.brokers, settings()); err != nil {
		t.Fatal(err)
	}
	for name, numbers := range map[string][]int64{"lost": {0, 1, 4, 3}, "repeated": {0, 1, 2, 2, 3}, "out of order": {0, 4, 2, 1}} {
		topic, err := c.topic(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.send(topic, numbers); err != nil {
			t.Fatal(err)
		}
		m, err := c.newMeter(topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.await(t.Context(), 6); err == nil || !strings.Contains(err.Error(), "is next: lost, repeated or out of order") {
			t.Errorf("%s: error is %v", name, err)
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// roundOf is a round with these latencies of all records.
func roundOf(null, atLeastOnce, exactlyOnce time.Duration) round {
	of := func(d time.Duration) delay {
		x := delay{newTimes(), newTimes(), newTimes()}
		_ = x.whole.RecordValue(int64(d))
		return x
	}
	second := harness.Sample{Records: 200_000, ElapsedNS: 1e9, CPUNS: 1e9}
	slower := second
	slower.Records = 90_000
	return round{of(null), of(atLeastOnce), of(exactlyOnce), second, slower}
}

// Medians are those of the rounds that count.
func TestReport(t *testing.T) {
	const ms = time.Millisecond
	r := newReport(harness.Options{}, newCourse(t), []round{
		roundOf(ms, 2*ms, 30*ms), roundOf(11*ms, ms, 500*ms), roundOf(ms, 4*ms, 40*ms), roundOf(ms, 2*ms, 20*ms),
	})
	near := func(got harness.Figure, want float64) bool {
		return float64(got) > 0.99*want && float64(got) < 1.01*want
	}
	if r.Rounds.Measured != 4 || r.Rounds.Counted != 3 || !near(r.P99MS, 30) || !near(r.P50MS, 30) || !near(r.Ratio.P99MS, 10) || !near(r.Ratio.RecordsPerSecond, 0.45) {
		t.Errorf("rounds %+v, p99 %v, ratio %+v", r.Rounds, r.P99MS, r.Ratio)
	}
	if !r.Holds100k[atLeastOnce] || r.Holds100k[exactlyOnce] {
		t.Errorf("holds 100 k: %v", r.Holds100k)
	}
	var out bytes.Buffer
	if err := publish(&out, r, true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var read struct {
		P99   float64 `json:"p99_ms"`
		Ratio struct {
			P99 float64 `json:"p99_ms"`
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &read); err != nil || read.P99 < 29 || read.Ratio.P99 < 9 {
		t.Errorf("%v: %+v", err, read)
	}
	if !strings.Contains(out.String(), "4 measured, 3 count") {
		t.Errorf("the table does not say what counts:\n%s", out.String())
	}
}

// Without a round that counts nothing is claimed.
func TestNoRoundCounts(t *testing.T) {
	var out bytes.Buffer
	if err := publish(&out, newReport(harness.Options{}, newCourse(t), []round{roundOf(time.Second, 1, 1)}), true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"p99_ms":null,"holds_100k_per_second":{"at-least-once":false,"exactly-once":false}`) {
		t.Errorf("got\n%s", out.String())
	}
}
