package codec

import (
	"reflect"
	"unsafe"
)

// Untyped is the encoding of a type that is known when the program runs and not when it is compiled. What is built over it is
// compiled once, and not for each type that a program keeps. It is immutable and safe for use by several goroutines.
//
// Values are handed to it by pointer; the pointer must be to a value of its type.
type Untyped struct {
	of       reflect.Type
	root     *node
	schema   string
	pointers bool
}

// DeriveType is Derive for a type.
func DeriveType(t reflect.Type) (*Untyped, error) {
	d := newDeriver(t)
	root, err := d.derive(t, d.root)
	if err != nil {
		return nil, err
	}
	return &Untyped{of: t, root: root, schema: root.schema.render(), pointers: hasPointers(t)}, nil
}

// Append is Encoding.Append.
func (u *Untyped) Append(dst []byte, v unsafe.Pointer) []byte { return u.root.append(dst, noescape(v)) }

// Decode is Encoding.Decode.
func (u *Untyped) Decode(src []byte, v unsafe.Pointer) (rest []byte, err error) {
	u.Zero(v)
	return u.root.decode(src, noescape(v))
}

// Zero makes the value zero.
func (u *Untyped) Zero(v unsafe.Pointer) { zeroOf(u.of, u.pointers, v) }

// Schema is Encoding.Schema.
func (u *Untyped) Schema() string { return u.schema }

// HasPointers is Encoding.HasPointers.
func (u *Untyped) HasPointers() bool { return u.pointers }

// Type is the type of the values.
func (u *Untyped) Type() reflect.Type { return u.of }

func zeroOf(t reflect.Type, pointers bool, v unsafe.Pointer) {
	if pointers {
		reflect.NewAt(t, v).Elem().SetZero()
		return
	}
	clear(unsafe.Slice((*byte)(v), t.Size()))
}
