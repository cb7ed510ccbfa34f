package natssource_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/natssource"
)

// BenchmarkRead drains a stream of 200-byte messages, all of it and through a filter that every other one matches. The server's work is in
// this process too.
func BenchmarkRead(b *testing.B) {
	const messages = 200_000
	r := start(b)
	r.stream(b, "S")
	value := []byte(strings.Repeat("x", 200))
	for i := range messages {
		if _, err := r.js.PublishAsync([]string{"S.0", "S.1"}[i%2], value); err != nil {
			b.Fatal(err)
		}
	}
	<-r.js.PublishAsyncComplete()
	b.Run("messages", func(b *testing.B) { drain(b, natssource.Messages(r.config("S")), messages) })
	b.Run("strings", func(b *testing.B) { drain(b, natssource.New(r.config("S"), codec.String), messages) })
	b.Run("filtered", func(b *testing.B) { drain(b, natssource.New(r.config("S", "S.1"), codec.String), messages/2) })
}

func drain[T any](b *testing.B, src sources.Source[T], messages int) {
	s := splitsOf(b, src)[0]
	batch := room[T](256)
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r := open(b, src, s, s.Start)
		for read, err := 0, error(nil); err == nil && n < b.N; n += len(batch.Records) {
			batch.Reset()
			if err = r.Read(b.Context(), batch); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			if read += len(batch.Records); read > messages {
				b.Fatal("too many")
			}
		}
		r.Close()
	}
}
