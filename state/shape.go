package state

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
)

// shape is how the entries of a table lie in memory and how their values are written. It is all that a table knows of its
// values' type: the tables themselves are compiled once, and not for each type of value that a program keeps.
type shape struct {
	cell     reflect.Type // typed[V]
	value    reflect.Type // V
	pointers bool         // a V holds pointers
	clear    func(value unsafe.Pointer)
	values   *codec.Untyped // nil: values are made anew after a restore, and entries are their keys alone in snapshots
	schema   string
}

// entry is the head of an entry: its value follows, as in typed.
type entry struct{ key arenaKey }

// value is where the value of the entry is.
func (e *entry) value() unsafe.Pointer { return unsafe.Add(unsafe.Pointer(e), valueOffset) }

// typed is an entry with its value, as the collector has to know it: the key, then the value.
type typed[V any] struct {
	_ arenaKey
	_ V
}

// valueOffset is the same for all types: none is aligned to more than eight bytes.
const valueOffset = unsafe.Sizeof(arenaKey{})

// shapeOf is the shape of tables of V, which values encodes.
func shapeOf[V any](values *codec.Untyped) shape {
	return shape{
		cell: reflect.TypeFor[typed[V]](), value: values.Type(), pointers: values.HasPointers(), clear: clearTyped[V], values: values,
		schema: values.Schema(),
	}
}

// unwritten is the shape of tables whose values are in no snapshot.
func unwritten[V any](schema string, pointers bool) shape {
	return shape{cell: reflect.TypeFor[typed[V]](), value: reflect.TypeFor[V](), pointers: pointers, clear: clearTyped[V], schema: schema}
}

// stride is the bytes from one entry to the next.
func (s *shape) stride() int { return int(s.cell.Size()) }

// entries allocates n entries, typed, so that the collector finds the pointers in them.
func (s *shape) entries(n int) unsafe.Pointer {
	return reflect.MakeSlice(reflect.SliceOf(s.cell), n, n).UnsafePointer()
}

// move copies the first n entries of src into dst.
func (s *shape) move(dst, src unsafe.Pointer, n int) {
	reflect.Copy(reflect.SliceAt(s.cell, dst, n), reflect.SliceAt(s.cell, src, n))
}

// clearTyped makes a value zero; it is small enough to be compiled for every type.
func clearTyped[V any](value unsafe.Pointer) {
	var zero V
	*(*V)(value) = zero
}

func (s *shape) append(dst []byte, value unsafe.Pointer) []byte {
	if s.values == nil {
		return dst
	}
	return s.values.Append(dst, value)
}

// decode reads a value out of all of src.
func (s *shape) decode(src []byte, value unsafe.Pointer) (err error) {
	if s.values == nil {
		s.clear(value)
	} else {
		src, err = s.values.Decode(src, value)
	}
	return whole("value", src, err)
}

// whole is err, or the error that bytes are left.
func whole(what string, rest []byte, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case len(rest) > 0:
		return fmt.Errorf("%s: %d bytes too many: %w", what, len(rest), codec.ErrDamaged)
	}
	return nil
}
