package codec

import (
	"encoding/json"
	"fmt"
)

// JSON is the codec of T as one JSON text, by the rules of encoding/json: names match without regard to case, unknown ones are
// ignored, <, > and & are written as they are. Data after the text is an error, and so is nesting deeper than 10,000.
//
// It stays with the first version of the package, because users' tags and methods are written for its rules, and because
// encoding/json/v2 is absent from programs built with GOEXPERIMENT=nojsonv2.
func JSON[T any]() Codec[T] { return jsonCodec[T]{} }

type jsonCodec[T any] struct{}

// Append fails on values that JSON does not have, such as NaN and channels; dst is then returned as it was.
func (jsonCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	w := appendWriter{dst}
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	// By its address, so that MarshalJSON on the pointer is found, as it is when decoding.
	if err := enc.Encode(&v); err != nil {
		return dst, fmt.Errorf("encode as json: %w", err)
	}
	return w.b[:len(w.b)-1], nil // without the encoder's newline
}

// Decode wraps ErrDamaged together with the error of encoding/json.
func (jsonCodec[T]) Decode(src []byte) (v T, err error) {
	if err := json.Unmarshal(src, &v); err != nil {
		return v, fmt.Errorf("decode json: %w: %w", err, ErrDamaged)
	}
	return v, nil
}

type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
