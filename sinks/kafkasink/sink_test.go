package kafkasink_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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

func TestConforms(t *testing.T) {
	b := connect(t, seeds(t))
	for name, change := range map[string]func(*kafkasink.Config){
		"plain":         func(*kafkasink.Config) {},
		"small batches": func(c *kafkasink.Config) { c.BatchBytes, c.BufferBytes = 60, 200 },
		"linger":        func(c *kafkasink.Config) { c.Linger = time.Hour }, // a flush waits for none
		"compressed":    func(c *kafkasink.Config) { c.Compression = "zstd" },
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case[string]{
				New: func(t *testing.T) (sinks.Sink[string], func(*testing.T) []string) {
					topic := b.create(t, 1)
					cfg := config(b, topic)
					change(&cfg)
					return kafkasink.New(cfg, codec.String), func(t *testing.T) []string {
						return strings.Fields(texts(b.partitions(t, topic, 1)[0]))
					}
				},
				Value: strconv.Itoa,
			})
		})
	}
}

// TestMessagesKeepEverything: key, value, headers, timestamp and each partition's order; null and empty told apart.
func TestMessagesKeepEverything(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 3)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	var in []kafkasink.Message
	for i := range 300 {
		m := kafkasink.Message{Topic: "elsewhere", Partition: int32(i % 5), Value: []byte(strconv.Itoa(i)), Time: at.Add(time.Duration(i) * time.Millisecond)}
		switch i % 4 {
		case 0:
			m.Headers = []kafkasink.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "", Value: nil}}
		case 1:
			m.Key = []byte("key-" + strconv.Itoa(i%7))
		case 2:
			m.Key, m.Value = []byte{}, []byte{}
		case 3:
			m.Key, m.Value = []byte("gone"), nil
		}
		in = append(in, m)
	}
	writeAll(t, kafkasink.Messages(config(b, topic)), in...)
	var out []kafkasink.Message
	for p, records := range b.partitions(t, topic, 3) {
		var last time.Time
		for _, r := range records {
			m := kafkasink.Message{Topic: "elsewhere", Key: r.Key, Value: r.Value, Time: r.Timestamp.UTC()}
			for _, h := range r.Headers {
				m.Headers = append(m.Headers, kafkasink.Header{Key: h.Key, Value: h.Value})
			}
			if !r.Timestamp.After(last) {
				t.Errorf("partition %d: %v behind %v", p, r.Timestamp, last)
			}
			last = r.Timestamp
			i := int(r.Timestamp.Sub(at) / time.Millisecond)
			if m.Partition = in[i].Partition; r.Key == nil && m.Partition%3 != int32(p) {
				t.Errorf("message %d of partition %d is in %d", i, m.Partition, p)
			}
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b kafkasink.Message) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	if len(out) != len(in) {
		t.Fatalf("%d messages, want %d", len(out), len(in))
	}
	for i := range in {
		if got, want := fmt.Sprintf("%#v", out[i]), fmt.Sprintf("%#v", in[i]); got != want {
			t.Fatalf("message %d:\ngot  %s\nwant %s", i, got, want)
		}
	}
}

// TestFunctionsOfASink: key, topic, headers and timestamp of each record. The functions use their memory again.
func TestFunctionsOfASink(t *testing.T) {
	b := connect(t, seeds(t))
	topic, other := b.create(t, 1), b.create(t, 1)
	scratch := make([]byte, 0, 10)
	sink := kafkasink.New(config(b, topic), codec.String).
		Key(func(v string) []byte { scratch = append(scratch[:0], v...); return scratch[:1] }).
		Topic(func(v string) string {
			if v == "other" {
				return other
			}
			return ""
		}).
		Headers(func(v string) []kafkasink.Header { return []kafkasink.Header{{Key: "v", Value: []byte(v)}} }).
		Time(func(string) time.Time { return time.UnixMilli(1_700_000_000_777) })
	writeAll[string](t, sink, "one", "other", "two")
	got := b.partitions(t, topic, 1)[0]
	if texts(got) != "one two" || string(got[0].Key) != "o" || string(got[1].Key) != "t" {
		t.Errorf("got %s with keys %q, %q", texts(got), got[0].Key, got[1].Key)
	}
	if h := got[1].Headers; len(h) != 1 || h[0].Key != "v" || string(h[0].Value) != "two" {
		t.Errorf("headers %+v", h)
	}
	if ms := got[0].Timestamp.UnixMilli(); ms != 1_700_000_000_777 {
		t.Errorf("timestamp %d", ms)
	}
	if got := b.partitions(t, other, 1)[0]; texts(got) != "other" {
		t.Errorf("the other topic has %q", texts(got))
	}
}

func TestTimestampIsTheEventTime(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	before := time.Now().Add(-time.Second)
	w := open[string](t, kafkasink.New(config(b, topic), codec.String))
	defer w.Close()
	err := w.Write(t.Context(), &flow.Batch[string]{Records: []flow.Record[string]{{TimeNS: 1_700_000_000_123_456_789, Value: "a"}, {Value: "none"}}})
	if err := errors.Join(err, w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	got := b.partitions(t, topic, 1)[0]
	if ms := got[0].Timestamp.UnixMilli(); ms != 1_700_000_000_123 {
		t.Errorf("timestamp %d", ms)
	}
	if got[1].Timestamp.Before(before) {
		t.Errorf("a record without a time has %v", got[1].Timestamp)
	}
}

func TestWithoutKeysRecordsGoRound(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 4)
	var vs []string
	for i := range 40 {
		vs = append(vs, strconv.Itoa(i))
	}
	writeAll[string](t, kafkasink.New(config(b, topic), codec.String), vs...)
	for p, records := range b.partitions(t, topic, 4) {
		if len(records) != 10 {
			t.Errorf("partition %d has %d records", p, len(records))
		}
	}
}

func TestChangesOfATable(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	changes := func() *flow.Batch[string] {
		return &flow.Batch[string]{
			Kinds:   []flow.Kind{flow.Insert, flow.UpdateBefore, flow.UpdateAfter, flow.Delete},
			Records: []flow.Record[string]{{Value: "a1"}, {Value: "a1"}, {Value: "a2"}, {Value: "a2"}},
		}
	}
	w := open[string](t, kafkasink.New(config(b, topic), codec.String).Key(func(v string) []byte { return []byte(v[:1]) }))
	defer w.Close()
	if err := errors.Join(w.Write(t.Context(), changes()), w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	got := b.partitions(t, topic, 1)[0]
	if texts(got) != "a1 a2 null" || string(got[2].Key) != "a" {
		t.Errorf("got %q", texts(got))
	}
	keyless := open[string](t, kafkasink.New(config(b, topic), codec.String))
	defer keyless.Close()
	mustSay(t, keyless.Write(t.Context(), changes()), `"update-before" without a key`, "Sink.Key")
}

func TestEncodingErrorsAreReturned(t *testing.T) {
	b := connect(t, seeds(t))
	w := open[chan int](t, kafkasink.New(config(b, b.create(t, 1)), codec.JSON[chan int]()))
	defer w.Close()
	mustSay(t, w.Write(t.Context(), &flow.Batch[chan int]{Records: make([]flow.Record[chan int], 1)}), "kafka sink: encode")
}

func TestTooLargeRecordFailsTheFlush(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1, "max.message.bytes", "2000")
	w := open[string](t, kafkasink.New(config(b, topic), codec.String))
	defer w.Close()
	err := w.Write(t.Context(), &flow.Batch[string]{Records: []flow.Record[string]{{Value: strings.Repeat("x", 5000)}}})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Flush(t.Context())
	mustSay(t, err, topic+"/0", "max.message.bytes")
	mustSay(t, w.Write(t.Context(), &flow.Batch[string]{}), topic+"/0") // nothing is written behind a failure
}

func TestMissingTopicIsNamed(t *testing.T) {
	t.Parallel() // it mostly waits
	b := connect(t, seeds(t))
	there := b.create(t, 1)
	mustSay(t, kafkasink.New(config(b, "no-such-topic"), codec.String).Check(t.Context()), `"no-such-topic"`, there)
	sink := kafkasink.New(config(b, there), codec.String).Topic(func(string) string { return "no-such-topic" })
	if err := sink.Check(t.Context()); err != nil {
		t.Error(err)
	}
	w := open[string](t, sink)
	defer w.Close()
	mustSay(t, w.Write(t.Context(), &flow.Batch[string]{Records: make([]flow.Record[string], 1)}), `"no-such-topic"`)
	m := open[kafkasink.Message](t, kafkasink.Messages(config(b, "")))
	defer m.Close()
	mustSay(t, m.Write(t.Context(), &flow.Batch[kafkasink.Message]{Records: make([]flow.Record[kafkasink.Message], 1)}), "record without a topic")
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel() // it mostly waits
	good := kafkasink.Config{Brokers: []string{"127.0.0.1:1"}, Topic: "t"}
	for want, change := range map[string]func(*kafkasink.Config){
		"no brokers":           func(c *kafkasink.Config) { c.Brokers = nil },
		"no topic":             func(c *kafkasink.Config) { c.Topic = "" },
		`compression "brotli"`: func(c *kafkasink.Config) { c.Compression = "brotli" },
		"batch size -1":        func(c *kafkasink.Config) { c.BatchBytes = -1 },
		"smaller than a batch": func(c *kafkasink.Config) { c.BufferBytes = 10 },
		"linger -1s":           func(c *kafkasink.Config) { c.Linger = -time.Second },
		"without a mechanism":  func(c *kafkasink.Config) { c.SASL.Password = "canary" },
		"connection refused":   func(*kafkasink.Config) {},
	} {
		cfg := good
		change(&cfg)
		err := kafkasink.New(cfg, codec.String).Check(t.Context())
		if mustSay(t, err, want); err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	mustSay(t, kafkasink.New[string](good, nil).Check(t.Context()), "codec is nil")
	_, err := kafkasink.New(good, codec.String).Open(t.Context(), sinktest.At(0, 1, 1))
	mustSay(t, err, "connection refused")
	if g := kafkasink.New(good, codec.String).Guarantee(); g != "at-least-once" {
		t.Errorf("guarantee %q", g)
	}
}

// TestFullBufferLingersNot: a write that waits for room must not wait for the linger of what fills it.
func TestFullBufferLingersNot(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := config(b, topic)
	cfg.Linger, cfg.BatchBytes, cfg.BufferBytes = time.Hour, 10_000, 10_000
	w := open[string](t, kafkasink.New(cfg, codec.String))
	defer w.Close()
	large := &flow.Batch[string]{Records: []flow.Record[string]{{Value: strings.Repeat("x", 9_990)}}}
	for range 5 {
		if err := w.Write(t.Context(), large); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.partitions(t, topic, 1)[0]); n != 5 {
		t.Errorf("%d records", n)
	}
}
