package natssink_test

import (
	"bytes"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sinks/natssink"
)

// BenchmarkWrite writes 200-byte messages to a stream in files, with different numbers of them in flight. The server's work is in this
// process too.
func BenchmarkWrite(b *testing.B) {
	value := bytes.Repeat([]byte("x"), 200)
	for name, most := range map[string]int{"default": 0, "in flight=64": 64, "in flight=8192": 8192} {
		b.Run(name, func(b *testing.B) {
			r := start(b)
			r.stream(b, "S", func(c *jetstream.StreamConfig) { c.MaxMsgs = 100_000 })
			cfg := r.config("S.x")
			cfg.InFlight = most
			w := open(b, natssink.New(cfg, codec.Bytes))
			defer w.Close()
			records := batch(slices256(value)...)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(records.Records) {
				if err := w.Write(b.Context(), records); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func slices256(v []byte) [][]byte {
	vs := make([][]byte, 256)
	for i := range vs {
		vs[i] = v
	}
	return vs
}
