package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"unsafe"
)

// scalar is the node of a kind without parts, or nil.
func scalar(k reflect.Kind) *node {
	switch k {
	case reflect.Bool:
		return boolNode()
	case reflect.Int8:
		return intNode[int8](k)
	case reflect.Int16:
		return intNode[int16](k)
	case reflect.Int32:
		return intNode[int32](k)
	case reflect.Int64:
		return intNode[int64](k)
	case reflect.Int:
		return intNode[int](k)
	case reflect.Uint8:
		return intNode[uint8](k)
	case reflect.Uint16:
		return intNode[uint16](k)
	case reflect.Uint32:
		return intNode[uint32](k)
	case reflect.Uint64:
		return intNode[uint64](k)
	case reflect.Uint:
		return intNode[uint](k)
	case reflect.Float32:
		return float32Node()
	case reflect.Float64:
		return float64Node()
	case reflect.String:
		return stringNode()
	}
	return nil
}

type integer interface {
	int8 | int16 | int32 | int64 | int | uint8 | uint16 | uint32 | uint64 | uint
}

// intNode writes integers; those of 64 unsigned bits by their bit pattern, since Avro's long is signed.
func intNode[I integer](k reflect.Kind) *node {
	return &node{
		min:    1,
		word:   unsafe.Sizeof(I(0)) == 8,
		schema: integerOf(k).schema(),
		append: func(dst []byte, p unsafe.Pointer) []byte { return appendLong(dst, int64(*(*I)(p))) },
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			v, rest, err := readLong(src)
			if err != nil {
				return nil, err
			}
			if int64(I(v)) != v {
				return nil, damaged("number %d does not fit %s", v, reflect.TypeFor[I]())
			}
			*(*I)(p) = I(v)
			return rest, nil
		},
	}
}

func boolNode() *node {
	return &node{
		min:    1,
		schema: primitive("boolean"),
		append: func(dst []byte, p unsafe.Pointer) []byte {
			if *(*bool)(p) {
				return append(dst, 1)
			}
			return append(dst, 0)
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) == 0 {
				return nil, damaged("bool is missing")
			}
			if src[0] > 1 {
				return nil, damaged("bool is %d, want 0 or 1", src[0])
			}
			*(*bool)(p) = src[0] == 1
			return src[1:], nil
		},
	}
}

func float32Node() *node {
	return &node{
		min:    4,
		schema: primitive("float"),
		append: func(dst []byte, p unsafe.Pointer) []byte {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(*(*float32)(p)))
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) < 4 {
				return nil, damaged("float has %d bytes, want 4", len(src))
			}
			*(*float32)(p) = math.Float32frombits(binary.LittleEndian.Uint32(src))
			return src[4:], nil
		},
	}
}

func float64Node() *node {
	return &node{
		min:    8,
		schema: primitive("double"),
		append: func(dst []byte, p unsafe.Pointer) []byte {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(*(*float64)(p)))
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) < 8 {
				return nil, damaged("double has %d bytes, want 8", len(src))
			}
			*(*float64)(p) = math.Float64frombits(binary.LittleEndian.Uint64(src))
			return src[8:], nil
		},
	}
}

func stringNode() *node {
	return &node{
		min:    1,
		schema: primitive("string"),
		append: func(dst []byte, p unsafe.Pointer) []byte {
			s := *(*string)(p)
			return append(appendLong(dst, int64(len(s))), s...)
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			block, rest, err := readBlock(src)
			if err != nil {
				return nil, err
			}
			*(*string)(p) = string(block)
			return rest, nil
		},
	}
}

// bytesNode writes byte slices. None and empty are the same, and decode as nil.
func bytesNode() *node {
	return &node{
		min:    1,
		schema: primitive("bytes"),
		append: func(dst []byte, p unsafe.Pointer) []byte {
			s := *(*[]byte)(p)
			return append(appendLong(dst, int64(len(s))), s...)
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			block, rest, err := readBlock(src)
			if err != nil {
				return nil, err
			}
			*(*[]byte)(p) = append([]byte(nil), block...)
			return rest, nil
		},
	}
}
