package filesource

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// CSVConfig says which files to read and how their columns are told.
type CSVConfig struct {
	Config
	// Columns are the names of the columns of files without a header. Empty: the first record of each file is its header.
	Columns []string
	Comma   rune // between two fields; default ','
	Comment rune // begins a line that is passed over; 0 = none
}

// CSV is a source of the records of CSV files (RFC 4180, as encoding/csv reads it). T is a struct, or []string for the
// fields as they are.
//
// A struct's field is filled from the column of its name, or of the name in its tag csv:"name" or millrace:"name", without
// regard to case; csv:"-" leaves a field out, and other columns are passed over. A field is a string, a boolean, a number,
// anything with UnmarshalText such as time.Time, or a pointer to one of these, which is nil for an empty field. A record
// with a field that does not parse, with more or fewer fields than there are columns, or in a file without a column that
// is wanted, is a dead letter. One whose quotes do not end within MaxRecordBytes is one together with the rest of its
// file, since no one can say where the next begins.
func CSV[T any](cfg CSVConfig) sources.Source[T] {
	if cfg.Comma == 0 {
		cfg.Comma = ','
	}
	return newSource[T](cfg.Config, csvFormat[T]{cfg})
}

type csvFormat[T any] struct{ cfg CSVConfig }

func (c csvFormat[T]) check() error {
	for _, r := range []rune{c.cfg.Comma, c.cfg.Comment} {
		if r != 0 && (r == '"' || r == '\r' || r == '\n' || !utf8.ValidRune(r) || r == utf8.RuneError) || c.cfg.Comma == c.cfg.Comment {
			return fmt.Errorf("csv: comma %q and comment %q are not two characters that can be used", c.cfg.Comma, c.cfg.Comment)
		}
	}
	targets, err := targetsOf(reflect.TypeFor[T]())
	if err != nil || len(c.cfg.Columns) == 0 {
		return err
	}
	_, err = match(targets, c.cfg.Columns)
	return err
}

func (c csvFormat[T]) open(f *file, at int64, buf *bufio.Reader) (content[T], error) {
	targets, err := targetsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	r := &csvContent[T]{file: f, buf: buf, columns: c.cfg.Columns, guard: &guard{from: f}}
	r.begin(c.cfg, 0)
	if mark, _ := buf.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = buf.Discard(len(mark)) // what was peeked is there
		r.base, r.at = int64(len(mark)), int64(len(mark))
	}
	if len(c.cfg.Columns) == 0 {
		r.header()
	}
	if r.unfit == nil {
		r.targets, r.unfit = match(targets, r.columns)
	}
	if at > r.at {
		if r.lines, err = f.lines(at); err != nil {
			return nil, err
		}
		r.begin(c.cfg, at)
	}
	return r, nil
}

// byteOrderMark is what some write at the beginning of UTF-8.
const byteOrderMark = "\ufeff"

// csvContent reads a CSV file.
type csvContent[T any] struct {
	file    *file
	buf     *bufio.Reader
	guard   *guard
	csv     *csv.Reader
	columns []string
	targets []target // of the columns, in the order of the struct's fields
	unfit   error    // why no record of the file can be decoded

	base  int64 // where csv began to read
	lines int64 // before that
	at    int64
}

func (c *csvContent[T]) offset() int64 { return c.at }

// begin makes a reader at byte at, where the file stands.
func (c *csvContent[T]) begin(cfg CSVConfig, at int64) {
	c.buf.Reset(c.guard)
	c.guard.left = int64(c.file.recordMax) + bufferBytes
	c.csv = csv.NewReader(c.buf)
	c.csv.Comma, c.csv.Comment, c.csv.FieldsPerRecord, c.csv.ReuseRecord = cfg.Comma, cfg.Comment, -1, true
	c.base, c.at = at, at
}

func (c *csvContent[T]) header() {
	names, err := c.csv.Read()
	c.at = c.base + c.csv.InputOffset()
	if err != nil && !errors.Is(err, io.EOF) {
		c.unfit = fmt.Errorf("header: %v", err) //nolint:errorlint // its lines are not the record's
		return
	}
	for _, name := range names {
		c.columns = append(c.columns, strings.TrimSpace(name))
	}
}

func (c *csvContent[T]) fill(b *sources.Batch[T]) error {
	for len(b.Records)+len(b.Bad) < cap(b.Records) {
		c.guard.left = int64(c.file.recordMax) + bufferBytes
		fields, err := c.csv.Read()
		from := c.at
		c.at = c.base + c.csv.InputOffset()
		endless := errors.Is(err, errEndless)
		if endless {
			fields, err = nil, fmt.Errorf("the record has no end within %d bytes: the rest of the file is not read", c.file.recordMax)
			c.at = c.file.size
		} else if !errors.As(err, new(*csv.ParseError)) && err != nil {
			return err
		}
		v, err := c.record(fields, err)
		if err != nil {
			b.Bad = append(b.Bad, c.letter(fields, from, err))
		} else {
			b.Records = append(b.Records, flow.Record[T]{Value: v})
		}
		if endless {
			return io.EOF
		}
	}
	return nil
}

// record makes a value of a record's fields; err is why they could not be told.
func (c *csvContent[T]) record(fields []string, err error) (v T, _ error) {
	switch {
	case err != nil:
		return v, err
	case c.unfit != nil:
		return v, c.unfit
	case len(fields) != len(c.columns):
		return v, fmt.Errorf("%d fields, want %d: %s", len(fields), len(c.columns), strings.Join(c.columns, ", "))
	}
	if all, ok := any(&v).(*[]string); ok {
		*all = append([]string(nil), fields...)
		return v, nil
	}
	to := reflect.ValueOf(&v).Elem()
	for _, t := range c.targets {
		if err := t.set(to, fields[t.column]); err != nil {
			return v, err
		}
	}
	return v, nil
}

// letter is the dead letter of the record that begins at byte from, or behind empty lines there.
func (c *csvContent[T]) letter(fields []string, from int64, err error) flow.DeadLetter {
	var line int64
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		line = c.lines + int64(parse.StartLine)
		err = fmt.Errorf("column %d: %w", parse.Column, parse.Err)
	} else if len(fields) > 0 {
		first, _ := c.csv.FieldPos(0)
		line = c.lines + int64(first)
	}
	raw := make([]byte, min(c.at-from, int64(c.file.recordMax), flow.DeadLetterBytesMax))
	n, _ := c.file.ReadAt(raw, from) // what cannot be read is left out of the letter
	return c.file.letter(line, []byte(strings.Trim(string(raw[:n]), "\r\n")), err.Error())
}

// errEndless ends the reading of a record that is too long.
var errEndless = errors.New("record without an end")

// guard lets left bytes through.
type guard struct {
	from io.Reader
	left int64
}

func (g *guard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errEndless
	}
	n, err := g.from.Read(p[:min(int64(len(p)), g.left)])
	g.left -= int64(n)
	return n, err
}
