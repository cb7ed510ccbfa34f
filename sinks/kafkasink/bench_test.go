package kafkasink_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
)

// BenchmarkWrite writes 200-byte records. Measure on a real broker (-tags integration): kfake's own work is in this process.
func BenchmarkWrite(b *testing.B) {
	br := connect(b, seeds(b))
	topic := br.create(b, 4)
	value := bytes.Repeat([]byte("x"), 200)
	b.Run("messages", func(b *testing.B) {
		write[kafkasink.Message](b, kafkasink.Messages(config(br, topic)), func(i int) kafkasink.Message {
			return kafkasink.Message{Partition: int32(i % 4), Value: value, Time: time.UnixMilli(1_700_000_000_000)}
		})
	})
	b.Run("bytes", func(b *testing.B) {
		write[[]byte](b, kafkasink.New(config(br, topic), codec.Bytes), func(int) []byte { return value })
	})
}

func write[T any](b *testing.B, s sinks.Sink[T], value func(i int) T) {
	w := open(b, s)
	defer w.Close()
	batch := &flow.Batch[T]{}
	for i := range 256 {
		batch.Records = append(batch.Records, flow.Record[T]{TimeNS: 1_700_000_000e9, Value: value(i)})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(batch.Records) {
		if err := w.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}
