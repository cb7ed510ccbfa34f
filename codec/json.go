package codec

import "encoding/json"

// JSON is the codec of T as one JSON text.
func JSON[T any]() Codec[T] { return jsonCodec[T]{} }

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (jsonCodec[T]) Decode(src []byte) (v T, err error) { return v, json.Unmarshal(src, &v) }
