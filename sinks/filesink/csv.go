package filesink

import (
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/millrace-io/millrace/internal/columns"
	"github.com/millrace-io/millrace/sinks"
)

// CSVConfig says where to write and how.
type CSVConfig struct {
	Config
	// Columns are the columns to write, in their order; for []string the names in the header. Default: all fields of the struct.
	Columns  []string
	NoHeader bool // files begin with their first record, instead of the names of the columns
	Comma    rune // between two fields; default ','
}

// CSV is a sink of CSV files (RFC 4180, as encoding/csv writes it, with \n at the end of a record). T is a struct, or []string
// for the fields as they are.
//
// A struct's field goes to the column of its name, or of the name in its tag csv:"name" or millrace:"name"; csv:"-" leaves a field out. A
// field is a string, a boolean, a number, anything with MarshalText such as time.Time, or a pointer to one of these, which gives an
// empty field when it is nil. filesource.CSV reads it back.
func CSV[T any](cfg CSVConfig) sinks.Sink[T] {
	if cfg.Comma == 0 {
		cfg.Comma = ','
	}
	cfg.Config = cfg.withDefaults(".csv")
	return newSink[T](cfg.Config, csvFormat[T]{cfg})
}

type csvFormat[T any] struct{ cfg CSVConfig }

func (f csvFormat[T]) check() error {
	if c := f.cfg.Comma; c == '"' || c == '\r' || c == '\n' || !utf8.ValidRune(c) || c == utf8.RuneError {
		return fmt.Errorf("csv: comma %q is no character that can be used", c)
	}
	_, err := f.fields()
	return err
}

// fields are the columns of a struct, in the order in which they are written; none for []string.
func (f csvFormat[T]) fields() ([]csvField, error) {
	t := reflect.TypeFor[T]()
	all, err := columns.Of(t)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0 && len(f.cfg.Columns) == 0 && !f.cfg.NoHeader:
		return nil, errors.New("csv: no names for the header: set CSVConfig.Columns or CSVConfig.NoHeader")
	case len(all) == 0:
		return nil, nil
	case len(f.cfg.Columns) > 0:
		if all, err = chosen(all, f.cfg.Columns); err != nil {
			return nil, err
		}
	}
	fields := make([]csvField, len(all))
	for i, c := range all {
		appender, err := appenderOf(c.Type)
		if err != nil {
			return nil, fmt.Errorf("csv: field %s of %v: %w", t.Field(c.Index).Name, t, err)
		}
		fields[i] = csvField{c, appender}
	}
	return fields, nil
}

// chosen are the fields with these names.
func chosen(all []columns.Field, names []string) ([]columns.Field, error) {
	var fields []columns.Field
	for i, name := range names {
		for _, other := range names[:i] {
			if strings.EqualFold(name, other) {
				return nil, fmt.Errorf("csv: column %q is there twice", name)
			}
		}
		at := -1
		for k, f := range all {
			if strings.EqualFold(f.Name, name) {
				at = k
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("csv: no field for the column %q", name)
		}
		f := all[at]
		f.Name = name
		fields = append(fields, f)
	}
	return fields, nil
}

func (f csvFormat[T]) encoder() encoder[T] {
	e := &csvEncoder[T]{}
	e.value = reflect.ValueOf(&e.record).Elem()
	e.csv = csv.NewWriter(&e.out)
	e.csv.Comma = f.cfg.Comma
	fields, err := f.fields()
	if e.fields, e.unfit = fields, err; err != nil || f.cfg.NoHeader {
		return e
	}
	e.header = f.cfg.Columns
	if len(fields) > 0 {
		e.header = nil
		for _, c := range fields {
			e.header = append(e.header, c.Name)
		}
	}
	return e
}

// csvEncoder makes a record of the value in record.
type csvEncoder[T any] struct {
	fields []csvField
	header []string // nil: none
	unfit  error    // why nothing can be written

	record T
	value  reflect.Value // record
	texts  []string
	text   []byte
	csv    *csv.Writer
	out    appendWriter
}

func (e *csvEncoder[T]) head() []byte {
	if len(e.header) == 0 {
		return nil
	}
	head, _ := e.line(nil, e.header) // names that csv cannot write are found by the records' own writing
	return head
}

func (e *csvEncoder[T]) append(dst []byte, v T) ([]byte, error) {
	if e.unfit != nil {
		return dst, e.unfit
	}
	e.record, e.texts = v, e.texts[:0]
	if all, ok := any(&e.record).(*[]string); ok {
		if n := len(e.header); n > 0 && len(*all) != n || len(*all) == 0 {
			return dst, fmt.Errorf("csv: record of %d fields, want %d", len(*all), max(n, 1))
		}
		return e.line(dst, *all)
	}
	for _, f := range e.fields {
		var err error
		if e.text, err = f.append(e.text[:0], e.value.Field(f.Index)); err != nil {
			return dst, fmt.Errorf("csv: column %q: %w", f.Name, err)
		}
		e.texts = append(e.texts, string(e.text))
	}
	return e.line(dst, e.texts)
}

func (e *csvEncoder[T]) line(dst []byte, texts []string) ([]byte, error) {
	if len(texts) == 1 && texts[0] == "" { // encoding/csv would write an empty line, which readers pass over
		return append(dst, `""`+"\n"...), nil
	}
	e.out.b = dst
	err := e.csv.Write(texts)
	e.csv.Flush()
	return e.out.b, errors.Join(err, e.csv.Error())
}

type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
