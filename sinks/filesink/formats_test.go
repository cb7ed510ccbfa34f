package filesink_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/filesink"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
)

// trade has a field of every kind that a column can hold.
type trade struct {
	Name   string    `json:"name"`
	Price  float64   `csv:"price_eur" json:"price"`
	Ratio  float32   `json:"ratio"`
	Count  int16     `json:"count"`
	ID     uint64    `millrace:"id" json:"id"`
	Done   bool      `json:"done"`
	At     time.Time `json:"at"`
	Note   *string   `json:"note"`
	Hidden string    `csv:"-" json:"-"`
}

// all writes values in one batch and gives the text of the file.
func all[T any](t *testing.T, dir string, sink sinks.Sink[T], values ...T) string {
	t.Helper()
	if err := check(t, sink); err != nil {
		t.Fatal(err)
	}
	publish(t, open(t, sink, 1), values...)
	_, texts := files(t, dir)
	if len(texts) != 1 {
		t.Fatalf("files hold %q, want one", texts)
	}
	return texts[0]
}

// readBack is what a source makes of the directory.
func readBack[T any](t *testing.T, src sources.Source[T]) (values []T) {
	t.Helper()
	splits, err := src.Splits(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context(), splits[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	for {
		b := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 100)}
		err := r.Read(t.Context(), b)
		for _, record := range b.Records {
			values = append(values, record.Value)
		}
		for _, bad := range b.Bad {
			t.Errorf("dead letter: %+v", bad)
		}
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// text is a text with everything in it that a format must quote.
func text(r *rand.Rand) string {
	parts := []string{"", "a", " ", ",", ";", `"`, "\n", "é", "\\", "\\.", "#", "<", "\x00", "0", "\t", "\u2028", "'", "-"}
	var b strings.Builder
	for range r.IntN(5) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

func trades(r *rand.Rand) (all []trade) {
	for range 50 {
		v := trade{text(r), r.NormFloat64(), r.Float32(), int16(r.Int()), r.Uint64(), r.IntN(2) == 0, time.Unix(r.Int64N(1<<32), r.Int64N(1e9)).UTC(), nil, ""}
		if note := text(r) + "n"; r.IntN(2) == 0 {
			v.Note = &note
		}
		all = append(all, v)
	}
	return all
}

// What is written as CSV or JSON is read back by the file source as it was.
func TestReadBack(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	want := trades(r)
	var texts [][]string
	for range 50 {
		texts = append(texts, []string{text(r)})
	}
	for _, comma := range []rune{0, ';'} {
		dir := t.TempDir()
		all(t, dir, filesink.CSV[trade](filesink.CSVConfig{Config: filesink.Config{Dir: dir}, Comma: comma}), want...)
		got := readBack(t, filesource.CSV[trade](filesource.CSVConfig{Config: filesource.Config{Dir: dir, Once: true}, Comma: comma}))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d, comma %q: got %+v, want %+v", seed, comma, got, want)
		}
	}
	dir := t.TempDir()
	all(t, dir, filesink.CSV[[]string](filesink.CSVConfig{Config: filesink.Config{Dir: dir}, NoHeader: true}), texts...)
	if got := readBack(t, filesource.CSV[[]string](filesource.CSVConfig{Config: filesource.Config{Dir: dir, Once: true}, Columns: []string{"one"}})); !reflect.DeepEqual(got, texts) {
		t.Errorf("seed %d: got %q, want %q", seed, got, texts)
	}
	dir = t.TempDir()
	all(t, dir, filesink.JSON[trade](filesink.Config{Dir: dir}), want...)
	if got := readBack(t, filesource.JSON[trade](filesource.Config{Dir: dir, Once: true})); !reflect.DeepEqual(got, want) {
		t.Errorf("seed %d: got %+v, want %+v", seed, got, want)
	}
	dir = t.TempDir()
	lines := []string{"", "a", " b ", "\"", "ü"}
	all(t, dir, filesink.Text(filesink.Config{Dir: dir}), lines...)
	if got := readBack(t, filesource.Text(filesource.Config{Dir: dir, Once: true})); !slices.Equal(got, lines) {
		t.Errorf("got %q, want %q", got, lines)
	}
}

func TestCSV(t *testing.T) {
	type row struct {
		A string
		B int `csv:"b b"`
	}
	for _, c := range []struct {
		cfg  filesink.CSVConfig
		want string
	}{
		{filesink.CSVConfig{}, "A,b b\nx,1\n\"y,\",2\n"},
		{filesink.CSVConfig{NoHeader: true, Comma: '\t'}, "x\t1\ny,\t2\n"},
		{filesink.CSVConfig{Columns: []string{"B B", "a"}}, "B B,a\n1,x\n2,\"y,\"\n"},
		{filesink.CSVConfig{Columns: []string{"a"}}, "a\nx\n\"y,\"\n"},
	} {
		c.cfg.Dir = t.TempDir()
		if got := all(t, c.cfg.Dir, filesink.CSV[row](c.cfg), row{"x", 1}, row{"y,", 2}); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.cfg, got, c.want)
		}
	}
	cfg := filesink.CSVConfig{Config: filesink.Config{Dir: t.TempDir(), RollBytes: 6}, Columns: []string{"h", "i"}}
	publish(t, open(t, filesink.CSV[[]string](cfg), 1), []string{"1", "2"}, []string{"3", "4"})
	if _, texts := files(t, cfg.Dir); !slices.Equal(texts, []string{"h,i\n1,2\n", "h,i\n3,4\n"}) {
		t.Errorf("each file should begin with the header: %q", texts)
	}
}

func TestCSVRefuses(t *testing.T) {
	cfg := filesink.CSVConfig{Config: filesink.Config{Dir: t.TempDir()}}
	with := func(change func(c *filesink.CSVConfig)) filesink.CSVConfig {
		c := cfg
		change(&c)
		return c
	}
	type row struct{ A, B string }
	mustSay(t, check(t, filesink.CSV[int](cfg)), "use a struct")
	mustSay(t, check(t, filesink.CSV[struct{ C chan int }](cfg)), "field C", "MarshalText")
	mustSay(t, check(t, filesink.CSV[struct{ a int }](cfg)), "no field")
	mustSay(t, check(t, filesink.CSV[[]string](cfg)), "CSVConfig.NoHeader")
	mustSay(t, check(t, filesink.CSV[row](with(func(c *filesink.CSVConfig) { c.Comma = '"' }))), "comma")
	mustSay(t, check(t, filesink.CSV[row](with(func(c *filesink.CSVConfig) { c.Columns = []string{"A", "D"} }))), `column "D"`)
	mustSay(t, check(t, filesink.CSV[row](with(func(c *filesink.CSVConfig) { c.Columns = []string{"A", "a"} }))), "twice")

	names := with(func(c *filesink.CSVConfig) { c.Columns = []string{"x", "y"} })
	for _, fields := range [][]string{{}, {"1"}, {"1", "2", "3"}} {
		mustSay(t, open(t, filesink.CSV[[]string](names), 1).Write(t.Context(), batch(fields)), "want 2")
	}
	bare := with(func(c *filesink.CSVConfig) { c.NoHeader = true })
	mustSay(t, open(t, filesink.CSV[[]string](bare), 1).Write(t.Context(), batch([]string{})), "0 fields")
	old := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) // has no text
	mustSay(t, open(t, filesink.CSV[trade](cfg), 1).Write(t.Context(), batch(trade{At: old})), `column "At"`)
	mustSay(t, open(t, filesink.JSON[chan int](cfg.Config), 1).Write(t.Context(), batch(make(chan int))), "json")
}
