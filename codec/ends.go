package codec

// String is the codec of text: the bytes as they are, valid UTF-8 or not.
var String Codec[string] = stringCodec{}

// Bytes is the codec of raw bytes. Decode copies; no bytes decode as an empty slice that is not nil.
var Bytes Codec[[]byte] = bytesCodec{}

type stringCodec struct{}

func (stringCodec) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (stringCodec) Decode(src []byte) (string, error)           { return string(src), nil }

type bytesCodec struct{}

func (bytesCodec) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (bytesCodec) Decode(src []byte) ([]byte, error) {
	return append(make([]byte, 0, len(src)), src...), nil
}
