package kafkasource_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// BenchmarkRead drains a partition of 200-byte records. Measure on a real broker (-tags integration): kfake's own work is in
// this process.
func BenchmarkRead(b *testing.B) {
	const records = 200_000
	br := start(b)
	topic := br.create(b, 1)
	value := []byte(strings.Repeat("x", 200))
	for n := 0; n < records; n += 1000 {
		batch := make([]*kgo.Record, 1000)
		for i := range batch {
			batch[i] = &kgo.Record{Topic: topic, Value: value}
		}
		br.produce(b, batch...)
	}
	b.Run("messages", func(b *testing.B) { drain[kafkasource.Message](b, kafkasource.Messages(config(br, topic)), records) })
	b.Run("strings", func(b *testing.B) { drain[string](b, kafkasource.New(config(br, topic), codec.String), records) })
}

func drain[T any](b *testing.B, src sources.Source[T], records int) {
	s := splitsOf(b, src)[0]
	batch := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 256)}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r := open(b, src, s, s.Start)
		for read, err := 0, error(nil); err == nil && n < b.N; n += len(batch.Records) {
			batch.Reset()
			if err = r.Read(b.Context(), batch); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			if read += len(batch.Records); read > records {
				b.Fatal("too many")
			}
		}
		r.Close()
	}
}
