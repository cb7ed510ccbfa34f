package filesource_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
)

func BenchmarkText(b *testing.B) {
	bench(b, strings.Repeat("a line of fifty bytes, as a log may have them, yes\n", 20_000),
		func(cfg filesource.Config) sources.Source[string] { return filesource.Text(cfg) })
}

func BenchmarkJSON(b *testing.B) {
	bench(b, strings.Repeat(`{"id":123456,"Name":"a name of some length"}`+"\n", 20_000), filesource.JSON[row])
}

func BenchmarkCSV(b *testing.B) {
	bench(b, "id,name\n"+strings.Repeat("123456,a name of some length\n", 20_000),
		func(cfg filesource.Config) sources.Source[row] {
			return filesource.CSV[row](filesource.CSVConfig{Config: cfg})
		})
}

// bench reads ten files of 20,000 records over and over; an operation is a record.
func bench[T any](b *testing.B, text string, src func(filesource.Config) sources.Source[T]) {
	cfg := filesource.Config{Dir: b.TempDir(), Once: true}
	for i := range 10 {
		put(b, cfg.Dir, fmt.Sprint("f", i), text, i)
	}
	batch := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 256)}
	r := open(b, src(cfg), nil)
	defer func() { r.Close() }()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		batch.Reset()
		err := r.Read(b.Context(), batch)
		n += len(batch.Records)
		if errors.Is(err, io.EOF) {
			r.Close()
			r = open(b, src(cfg), nil)
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
