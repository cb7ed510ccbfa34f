package filesink

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"

	"github.com/millrace-io/millrace/internal/columns"
)

// csvField is a field of a struct and how it becomes a text.
type csvField struct {
	columns.Field
	append func(dst []byte, v reflect.Value) ([]byte, error)
}

// appenderOf is how a value of a type becomes the text that the file source parses.
func appenderOf(t reflect.Type) (func([]byte, reflect.Value) ([]byte, error), error) {
	switch {
	case t.Kind() == reflect.Pointer:
		return pointerAppender(t)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			text, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
			return append(dst, text...), err
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return append(dst, v.String()...), nil }, nil
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendUint(dst, v.Uint(), 10), nil }, nil
	case reflect.Float32, reflect.Float64:
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, v.Float(), 'g', -1, t.Bits()), nil
		}, nil
	}
	return nil, fmt.Errorf(`type %v has no text: give it MarshalText, or leave the field out with csv:"-"`, t)
}

// pointerAppender gives an empty text for a pointer that is nil.
func pointerAppender(t reflect.Type) (func([]byte, reflect.Value) ([]byte, error), error) {
	appender, err := appenderOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return dst, nil
		}
		return appender(dst, v.Elem())
	}, nil
}
