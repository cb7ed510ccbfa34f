package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"unsafe"
)

// promote compiles the reading of a number, string or bytes as another kind, by Avro's rules of promotion: an integer as a
// wider one or as a float, a float32 as a float64, a string as bytes and back. It is nil when there is no rule. n is the
// node of t.
func promote(w *schema, t reflect.Type, n *node) *node {
	from, isInteger := integerIn(w)
	switch {
	case isInteger && t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		if from.fits(integerOf(t.Kind())) {
			return promoteInteger(from, n)
		}
	case isInteger && t.Kind() == reflect.Float32:
		return integerToFloat(from, func(p unsafe.Pointer, v float64) { *(*float32)(p) = float32(v) })
	case isInteger && t.Kind() == reflect.Float64:
		return integerToFloat(from, func(p unsafe.Pointer, v float64) { *(*float64)(p) = v })
	case w.kind == "float" && t.Kind() == reflect.Float64:
		return floatToDouble()
	case isText(w) && isText(n.schema):
		return n // the bytes are the same
	}
	return nil
}

// isText says whether s is a string or bytes that no registered codec wrote.
func isText(s *schema) bool { return s.kind == "string" || s.kind == "bytes" && s.logical == "" }

// readInteger reads an integer and checks that it is one of type i.
func readInteger(i integerType, src []byte) (v int64, rest []byte, err error) {
	v, rest, err = readLong(src)
	if err == nil && !i.holds(v) {
		err = damaged("number %d does not fit %s", v, i.goName())
	}
	return v, rest, err
}

func promoteInteger(from integerType, to *node) *node {
	return &node{min: 1, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
		if _, _, err := readInteger(from, src); err != nil {
			return nil, err
		}
		return to.decode(src, p) // an int is the same bytes, whatever its width
	}}
}

func integerToFloat(from integerType, set func(p unsafe.Pointer, v float64)) *node {
	return &node{min: 1, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
		v, rest, err := readInteger(from, src)
		if err != nil {
			return nil, err
		}
		if from.bits == 64 && !from.signed {
			set(p, float64(uint64(v)))
		} else {
			set(p, float64(v))
		}
		return rest, nil
	}}
}

func floatToDouble() *node {
	return &node{min: 4, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
		if len(src) < 4 {
			return nil, damaged("float has %d bytes, want 4", len(src))
		}
		*(*float64)(p) = float64(math.Float32frombits(binary.LittleEndian.Uint32(src)))
		return src[4:], nil
	}}
}
