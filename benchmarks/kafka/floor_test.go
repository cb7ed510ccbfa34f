package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

func TestMain(m *testing.M) {
	// The metrics library under sarama keeps one ticking goroutine per process and has no way to end it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// startField has a field on an in-process broker, franz-go's kfake: the protocol is real, speed and durability are not.
func startField(t *testing.T, records int64) (*field, harness.Benchmark) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	f := &field{brokers: cluster.ListenAddrs(), partitions: 2, records: records}
	b, err := f.prepare(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return f, b
}

// inputHash is the hash of the input topic itself.
func inputHash(t *testing.T, f *field) uint64 {
	t.Helper()
	h, err := hashTopic(t.Context(), f.brokers, f.input(), f.partitions, f.records)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestContestantsCopyEverything(t *testing.T) {
	for _, records := range []int64{1, 2, 3, 5001} {
		f, b := startField(t, records)
		want := inputHash(t, f)
		for _, c := range []harness.Contestant{b.Base, b.Subject} {
			s, err := c.Throughput(t.Context())
			if err != nil {
				t.Fatalf("%s, %d records: %v", c.Name, records, err)
			}
			if s.Records != records || s.CPUNS <= 0 {
				t.Errorf("%s, %d records: sample is %+v", c.Name, records, s)
			}
			got, err := c.Output(t.Context())
			if err != nil {
				t.Fatalf("%s, %d records: %v", c.Name, records, err)
			}
			if got != want {
				t.Errorf("%s, %d records: output has hash %016x, input %016x", c.Name, records, got, want)
			}
		}
	}
}

// produce writes records to a new topic.
func produce(t *testing.T, f *field, change func(i int64, m *sarama.ProducerMessage) *sarama.ProducerMessage) string {
	t.Helper()
	topic, err := f.output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := sarama.NewAsyncProducer(f.brokers, settings())
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() { failed <- drain(p.Errors()) }()
	for i := range f.records {
		if m := change(i, makeRecord(topic, f.partitions, i)); m != nil {
			p.Input() <- m
		}
	}
	p.AsyncClose()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return topic
}

func TestHashNoticesEveryPart(t *testing.T) {
	f, _ := startField(t, 10)
	want := inputHash(t, f)
	for name, change := range map[string]func(m *sarama.ProducerMessage){
		"key":       func(m *sarama.ProducerMessage) { m.Key = sarama.StringEncoder("other") },
		"value":     func(m *sarama.ProducerMessage) { m.Value.(sarama.ByteEncoder)[valueBytes-1] ^= 1 },
		"header":    func(m *sarama.ProducerMessage) { m.Headers[1].Value = []byte("refund__") },
		"headers":   func(m *sarama.ProducerMessage) { m.Headers = m.Headers[:1] },
		"timestamp": func(m *sarama.ProducerMessage) { m.Timestamp = m.Timestamp.Add(time.Millisecond) },
	} {
		topic := produce(t, f, func(i int64, m *sarama.ProducerMessage) *sarama.ProducerMessage {
			if i == 7 {
				change(m)
			}
			return m
		})
		got, err := hashTopic(t.Context(), f.brokers, topic, f.partitions, f.records)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got == want {
			t.Errorf("a changed %s is not noticed", name)
		}
	}
}

func TestLostAndRepeatedRecordsAreNoticed(t *testing.T) {
	f, _ := startField(t, 10)
	topic := produce(t, f, func(i int64, m *sarama.ProducerMessage) *sarama.ProducerMessage {
		if i == 7 {
			return nil
		}
		return m
	})
	_, err := hashTopic(t.Context(), f.brokers, topic, f.partitions, f.records)
	if err == nil || !strings.Contains(err.Error(), "holds 9 records, want 10") {
		t.Errorf("error is %v, want that a record is missing", err)
	}
	topic = produce(t, f, func(i int64, m *sarama.ProducerMessage) *sarama.ProducerMessage {
		if i == 8 {
			return makeRecord(m.Topic, f.partitions, 6)
		}
		return m
	})
	if _, err = hashTopic(t.Context(), f.brokers, topic, f.partitions, f.records); !errors.Is(err, errOrder) {
		t.Errorf("error is %v, want that record 6 came twice", err)
	}
}

func TestCopyStopsWithItsContext(t *testing.T) {
	f, _ := startField(t, 10)
	for name, run := range map[string]copier{"floor": copyFloor, "millrace": copyMillrace} {
		out, err := f.output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("enough")
		cancel(stop)
		if err := run(ctx, job{f.brokers, f.input(), out, f.partitions, f.records}); !errors.Is(err, stop) {
			t.Errorf("%s: error is %v, want %v", name, err, stop)
		}
	}
}

func TestMillraceToNowhereFails(t *testing.T) {
	f, _ := startField(t, 10)
	err := copyMillrace(t.Context(), job{f.brokers, f.input(), "nowhere", f.partitions, f.records})
	if err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("error is %v, want one that names the topic that is not there", err)
	}
}

func TestNoBrokerSaysWhatToDo(t *testing.T) {
	f := &field{brokers: []string{"127.0.0.1:1"}, partitions: 2, records: 1}
	if _, err := f.prepare(t.Context(), time.Second); err == nil || !strings.Contains(err.Error(), "make kafka") {
		t.Errorf("error is %v, want one that says how to start a broker", err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

func TestRecordsAreTwoHundredBytes(t *testing.T) {
	for _, i := range []int64{0, 1, 123_456_789} {
		m := makeRecord("t", 2, i)
		n := m.Key.Length() + m.Value.Length()
		for _, h := range m.Headers {
			n += len(h.Key) + len(h.Value)
		}
		if n != recordBytes {
			t.Errorf("record %d has %d bytes, want %d", i, n, recordBytes)
		}
	}
}

func TestSharesAddUp(t *testing.T) {
	for n := range int64(20) {
		for partitions := 1; partitions < 5; partitions++ {
			var sum int64
			for p := range partitions {
				sum += share(n, p, partitions)
			}
			if sum != n {
				t.Errorf("%d records over %d partitions: the shares add up to %d", n, partitions, sum)
			}
		}
	}
}
