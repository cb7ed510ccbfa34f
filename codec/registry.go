package codec

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// registry holds the users' codecs: reflect.Type to *node.
var registry sync.Map

// Register makes Derive use c for values of T wherever they occur, written as Avro bytes. It is meant for types that reflection
// cannot encode, such as interfaces, and for types with unexported fields. Call it before plans are built, typically from init.
// It panics if c is nil or T already has a codec. If c.Append returns an error, Encoding.Append panics with it.
func Register[T any](c Codec[T]) {
	t := reflect.TypeFor[T]()
	if c == nil {
		panic(fmt.Sprintf("codec: register %s: codec is nil", t))
	}
	n := &node{
		min:    1,
		schema: &schema{kind: "bytes", logical: logicalRegistered},
		append: func(dst []byte, p unsafe.Pointer) []byte {
			return appendRegistered(dst, c, *(*T)(p))
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			block, rest, err := readBlock(src)
			if err != nil {
				return nil, err
			}
			v, err := c.Decode(block)
			if err != nil {
				return nil, fmt.Errorf("registered codec of %s: %w", t, err)
			}
			*(*T)(p) = v
			return rest, nil
		},
	}
	if _, twice := registry.LoadOrStore(t, n); twice {
		panic(fmt.Sprintf("codec: register %s: it already has a codec", t))
	}
}

// appendRegistered appends v as length-prefixed bytes: after a prefix of one byte at first, made longer if need be.
func appendRegistered[T any](dst []byte, c Codec[T], v T) []byte {
	start := len(dst)
	out, err := c.Append(append(dst, 0), v)
	if err != nil {
		panic(fmt.Errorf("codec: encode %s: %w", reflect.TypeFor[T](), err))
	}
	n := len(out) - start - 1
	var prefix [10]byte
	head := appendLong(prefix[:0], int64(n))
	out = append(out, head[1:]...)
	copy(out[start+len(head):], out[start+1:start+1+n])
	copy(out[start:], head)
	return out
}

// registered returns the node of the codec registered for t, or nil.
func registered(t reflect.Type) *node {
	if n, ok := registry.Load(t); ok {
		return n.(*node)
	}
	return nil
}
