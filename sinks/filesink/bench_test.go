package filesink_test

import (
	"testing"

	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/filesink"
)

type reading struct {
	Sensor string
	At     int64
	Value  float64
}

// benchWrite writes batches of 256 records, an epoch and a commit each 100,000.
func benchWrite[T any](b *testing.B, sink sinks.Sink[T], v T) {
	opened, err := sink.Open(b.Context(), at(1))
	if err != nil {
		b.Fatal(err)
	}
	w := opened.(committer[T])
	records := batch[T]()
	for range 256 {
		records.Records = append(records.Records, batch(v).Records...)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		if n++; n%400 > 0 {
			continue
		}
		if err := w.EndBatch(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		token, err := w.Prepare(b.Context(), 1)
		if err == nil {
			err = w.Commit(b.Context(), [][]byte{token})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*256), "ns/record")
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkText(b *testing.B) {
	benchWrite(b, filesink.Text(filesink.Config{Dir: b.TempDir()}), "sensor-17 1700000000 21.5 some more words to make it a line")
}

func BenchmarkJSON(b *testing.B) {
	benchWrite(b, filesink.JSON[reading](filesink.Config{Dir: b.TempDir()}), reading{"sensor-17", 1_700_000_000, 21.5})
}

func BenchmarkCSV(b *testing.B) {
	benchWrite(b, filesink.CSV[reading](filesink.CSVConfig{Config: filesink.Config{Dir: b.TempDir()}}), reading{"sensor-17", 1_700_000_000, 21.5})
}
