package filesink

import (
	"errors"
	"strings"

	"github.com/millrace-io/millrace/codec"
)

type textFormat struct{}

func (textFormat) check() error { return nil }

func (textFormat) encoder() encoder[string] { return textEncoder{} }

type textEncoder struct{}

func (textEncoder) head() []byte { return nil }

func (textEncoder) append(dst []byte, v string) ([]byte, error) {
	if strings.Contains(v, "\n") || strings.HasSuffix(v, "\r") {
		return dst, errors.New("a line of text has a line end in it: write it as JSON or CSV")
	}
	return append(append(dst, v...), '\n'), nil
}

type jsonFormat[T any] struct{}

func (jsonFormat[T]) check() error { return nil }

func (jsonFormat[T]) encoder() encoder[T] { return jsonEncoder[T]{codec.JSON[T]()} }

type jsonEncoder[T any] struct{ codec codec.Codec[T] }

func (jsonEncoder[T]) head() []byte { return nil }

// append relies on encoding/json, which writes a text without line ends whatever a MarshalJSON returns.
func (e jsonEncoder[T]) append(dst []byte, v T) ([]byte, error) {
	dst, err := e.codec.Append(dst, v)
	return append(dst, '\n'), err
}
