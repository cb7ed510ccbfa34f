package filesource

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/columns"
)

// target is a struct's field that a column fills.
type target struct {
	name   string
	index  int
	parse  func(reflect.Value, string) error
	column int
}

// targetsOf lists the fields of a struct to fill; none for []string.
func targetsOf(t reflect.Type) ([]target, error) {
	fields, err := columns.Of(t)
	if err != nil {
		return nil, err
	}
	targets := make([]target, 0, len(fields))
	for _, f := range fields {
		parse, err := parserOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("csv: field %s of %v: %w", t.Field(f.Index).Name, t, err)
		}
		targets = append(targets, target{name: f.Name, index: f.Index, parse: parse})
	}
	return targets, nil
}

// match finds the column of each target.
func match(targets []target, names []string) ([]target, error) {
	found := make([]target, len(targets))
	for i, t := range targets {
		t.column = -1
		for k, c := range names {
			switch {
			case !strings.EqualFold(c, t.name):
			case t.column >= 0:
				return nil, fmt.Errorf("csv: column %q is there twice: %s", t.name, strings.Join(names, ", "))
			default:
				t.column = k
			}
		}
		if t.column < 0 {
			return nil, fmt.Errorf("csv: no column %q, only: %s", t.name, strings.Join(names, ", "))
		}
		found[i] = t
	}
	return found, nil
}

// set parses text into the field of record.
func (t target) set(record reflect.Value, text string) error {
	if err := t.parse(record.Field(t.index), text); err != nil {
		const shown = 100
		return fmt.Errorf("column %q: %q is not a %v: %w", t.name, text[:min(len(text), shown)], record.Field(t.index).Type(), err)
	}
	return nil
}

// parserOf is how a text is parsed into a type.
func parserOf(t reflect.Type) (func(reflect.Value, string) error, error) {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return func(v reflect.Value, s string) error {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerParser(t)
	case reflect.String:
		return func(v reflect.Value, s string) error { v.SetString(strings.Clone(s)); return nil }, nil
	case reflect.Bool:
		return parser(strconv.ParseBool, reflect.Value.SetBool), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return parser(func(s string) (int64, error) { return strconv.ParseInt(s, 10, t.Bits()) }, reflect.Value.SetInt), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return parser(func(s string) (uint64, error) { return strconv.ParseUint(s, 10, t.Bits()) }, reflect.Value.SetUint), nil
	case reflect.Float32, reflect.Float64:
		return parser(func(s string) (float64, error) { return strconv.ParseFloat(s, t.Bits()) }, reflect.Value.SetFloat), nil
	}
	return nil, fmt.Errorf(`type %v cannot be told from a text: give it UnmarshalText, or leave the field out with csv:"-"`, t)
}

func parser[V any](parse func(string) (V, error), set func(reflect.Value, V)) func(reflect.Value, string) error {
	return func(v reflect.Value, s string) error {
		parsed, err := parse(strings.TrimSpace(s))
		if err != nil {
			if cause, ok := err.(*strconv.NumError); ok { //nolint:errorlint // strconv's own, whose text repeats the value
				err = cause.Err
			}
			return err
		}
		set(v, parsed)
		return nil
	}
}

// pointerParser leaves the pointer nil for an empty text.
func pointerParser(t reflect.Type) (func(reflect.Value, string) error, error) {
	parse, err := parserOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(v reflect.Value, s string) error {
		if s == "" {
			return nil
		}
		to := reflect.New(t.Elem())
		v.Set(to)
		return parse(to.Elem(), s)
	}, nil
}
