package filesource_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
)

func once(t *testing.T, text string) filesource.Config {
	dir := t.TempDir()
	put(t, dir, "data", text, 1)
	return filesource.Config{Dir: dir, Once: true}
}

// positions says where the dead letters are, and why, in a few words.
func positions[T any](s seen[T]) (ps []string) {
	for _, d := range s.bad {
		ps = append(ps, d.Position)
	}
	return ps
}

func TestLongLinesAreDeadLetters(t *testing.T) {
	cfg := once(t, "12345\r\n123456\n\n12345\n"+strings.Repeat("x", 200_000)+"\nend\n123456")
	cfg.MaxRecordBytes = 5
	got := readAll(t, open(t, filesource.Text(cfg), nil))
	if !slices.Equal(got.values, []string{"12345", "", "12345", "end"}) ||
		!slices.Equal(positions(got), []string{"data, line 2", "data, line 5", "data, line 7"}) {
		t.Errorf("got %q, %+v", got.values, got.bad)
	}
	if !strings.Contains(got.bad[1].Reason, "at most 5: raise") || !strings.HasPrefix(string(got.bad[1].Value), "xxxxx") {
		t.Errorf("got %+v", got.bad[1])
	}
}

func TestBadJSONLinesAreDeadLetters(t *testing.T) {
	cfg := once(t, "{\"id\":1}\n\n{\"id\":\"x\"}\n  \nnot json\n{\"id\":2}")
	got := readAll(t, open(t, filesource.JSON[row](cfg), nil))
	if !slices.Equal(got.values, []row{{ID: 1}, {ID: 2}}) || !slices.Equal(positions(got), []string{"data, line 3", "data, line 5"}) ||
		string(got.bad[1].Value) != "not json" {
		t.Errorf("got %+v, %+v", got.values, got.bad)
	}
}

type reading struct {
	Sensor  string
	Value   float64    `csv:"reading"`
	Small   int8       `millrace:"small"`
	OK      bool       `csv:"ok"`
	At      time.Time  `csv:"at"`
	Note    *string    `csv:"note"`
	Maybe   *uint16    `csv:"maybe"`
	Ignored chan int   `csv:"-"`
	hidden  complex128 //nolint:unused // a field that is not exported is passed over
}

const readings = "\ufeff\"sensor\",reading,other,small,ok,at,note,maybe\n" +
	"a,1.5,x,-3,true,2026-01-02T03:04:05Z,,\r\n" +
	"\"b\nc\",2,\"y \"\"z\"\"\",127,false,2026-01-02T03:04:05Z,hello,65535\n" +
	"\n" +
	"a,much,x,1,true,2026-01-02T03:04:05Z,,\n" + // line 6
	"a,1,x,128,true,2026-01-02T03:04:05Z,,\n" +
	"a,1,x,1,true,yesterday,,\n" +
	"a,1,x\n" +
	"a,1,x,\"1\"1,true,2026-01-02T03:04:05Z,,\n" +
	"d,1,x,0,true,2026-01-02T03:04:05Z,,7\n"

func TestCSVFillsFields(t *testing.T) {
	got := readAll(t, open(t, filesource.CSV[reading](filesource.CSVConfig{Config: once(t, readings)}), nil))
	at, hello, most, seven := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "hello", uint16(65535), uint16(7)
	want := []reading{
		{Sensor: "a", Value: 1.5, Small: -3, OK: true, At: at},
		{Sensor: "b\nc", Value: 2, Small: 127, At: at, Note: &hello, Maybe: &most},
		{Sensor: "d", Value: 1, OK: true, At: at, Maybe: &seven},
	}
	if !reflect.DeepEqual(got.values, want) || !errors.Is(got.err, io.EOF) {
		t.Errorf("got %+v, %v", got.values, got.err)
	}
	var letters []string
	for _, d := range got.bad {
		letters = append(letters, d.Position+": "+d.Reason)
	}
	for i, parts := range [][]string{
		{"data, line 6", `column "reading"`, `"much" is not a float64`},
		{"data, line 7", `column "small"`, `"128" is not a int8`, "range"},
		{"data, line 8", `column "at"`, `"yesterday"`},
		{"data, line 9", "3 fields, want 8"},
		{"data, line 10", "column 9", `"`},
	} {
		if i >= len(letters) {
			t.Fatalf("only %q", letters)
		}
		for _, p := range parts {
			if !strings.Contains(letters[i], p) {
				t.Errorf("dead letter %q does not say %q", letters[i], p)
			}
		}
	}
	if len(letters) != 5 || string(got.bad[3].Value) != "a,1,x" {
		t.Errorf("got %q", letters)
	}
}

// TestCSVLinesAreRightAfterARestart: dead letters are the same, wherever the reading is broken off.
func TestCSVLinesAreRightAfterARestart(t *testing.T) {
	src := filesource.CSV[reading](filesource.CSVConfig{Config: once(t, readings)})
	whole := readAll(t, open(t, src, nil))
	r := open(t, src, nil)
	defer r.Close()
	values, bad := 0, 0
	for k := range 8 {
		b := &sources.Batch[reading]{Records: batchOf[reading](1)}
		if err := r.Read(t.Context(), b); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		values, bad = values+len(b.Records), bad+len(b.Bad)
		rest := readAll(t, open(t, src, b.Next))
		if !reflect.DeepEqual(rest.bad, append(rest.bad[:0:0], whole.bad[bad:]...)) && len(whole.bad) > bad || len(rest.values) != len(whole.values)-values {
			t.Fatalf("behind %d: %+v, want %+v", k+1, rest.bad, whole.bad[bad:])
		}
	}
}

func TestCSVWithGivenColumns(t *testing.T) {
	cfg := filesource.CSVConfig{Config: once(t, "1;one\n# two\n2;\"t;wo\"\n"), Columns: []string{"id", "name"}, Comma: ';', Comment: '#'}
	got := readAll(t, open(t, filesource.CSV[row](cfg), nil))
	if want := []row{{1, "one"}, {2, "t;wo"}}; !slices.Equal(got.values, want) || len(got.bad) > 0 {
		t.Errorf("got %+v, %+v", got.values, got.bad)
	}
	all := readAll(t, open(t, filesource.CSV[[]string](cfg), nil))
	if fmt.Sprint(all.values) != "[[1 one] [2 t;wo]]" {
		t.Errorf("got %q", all.values)
	}
}

func TestCSVWithoutAColumn(t *testing.T) {
	for text, says := range map[string]string{
		"id,nom\n1,a\n2,b\n":         `no column "Name", only: id, nom`,
		"id,name,NAME\n1,a,b\n2,a,b": `column "Name" is there twice`,
		"id,na\"me\n1,a\n2,b":        "header: ",
	} {
		got := readAll(t, open(t, filesource.CSV[row](filesource.CSVConfig{Config: once(t, text)}), nil))
		if len(got.values) > 0 || !slices.Equal(positions(got), []string{"data, line 2", "data, line 3"}) || !strings.Contains(got.bad[0].Reason, says) {
			t.Errorf("%q: got %+v, %+v", text, got.values, got.bad)
		}
	}
}

// TestCSVQuoteWithoutEnd: what no one can tell apart is one dead letter, and the next file is read.
func TestCSVQuoteWithoutEnd(t *testing.T) {
	for name, rest := range map[string]string{"short": "3,c\n", "long": strings.Repeat("3,c\n", 100_000)} {
		cfg := once(t, "id,name\n1,a\n2,\"b\n"+rest)
		cfg.MaxRecordBytes = 1000
		put(t, cfg.Dir, "next", "name,id\nz,9\n", 2)
		got := readAll(t, open(t, filesource.CSV[row](filesource.CSVConfig{Config: cfg}), nil))
		if !slices.Equal(got.values, []row{{1, "a"}, {9, "z"}}) || len(got.bad) != 1 || !strings.HasPrefix(string(got.bad[0].Value), "2,\"b\n3,c") ||
			!errors.Is(got.err, io.EOF) || len(got.bad[0].Value) > 1000 {
			t.Errorf("%s: got %d values, %d dead letters, %v", name, len(got.values), len(got.bad), got.err)
		}
	}
}

func TestCSVCheck(t *testing.T) {
	cfg := filesource.CSVConfig{Config: once(t, "")}
	check := func(src any) error { return src.(sources.Checker).Check(t.Context()) }
	mustSay(t, check(filesource.CSV[int](cfg)), "records of type int")
	mustSay(t, check(filesource.CSV[struct{ A []int }](cfg)), "field A", "UnmarshalText")
	mustSay(t, check(filesource.CSV[struct{ a int }](cfg)), "no field that can be a column")
	mustSay(t, check(filesource.CSV[struct {
		A int `csv:"b"`
		B int
	}](cfg)), "two fields", `"B"`)
	cfg.Columns = []string{"id"}
	mustSay(t, check(filesource.CSV[row](cfg)), `no column "Name"`)
	cfg.Columns, cfg.Comment = nil, ','
	mustSay(t, check(filesource.CSV[row](cfg)), "comment")
	cfg.Comment = 0
	if err := check(filesource.CSV[row](cfg)); err != nil {
		t.Error(err)
	}
}
