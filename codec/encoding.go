package codec

import (
	"reflect"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Encoding is how values of T are written on lanes and in snapshots: Avro's binary form. It is immutable and safe for use by
// several goroutines.
//
// A struct is a record of its exported fields: the tag `millrace:"name"` renames one, `millrace:"name,alias=old"` also reads
// what was written under the name old (Resolve), `millrace:"-"` leaves one out. A pointer is a union with null, a map an array of entries in the order of their keys, an array of bytes a fixed, another array an Avro array
// of exactly so many elements. Integers of 64 unsigned bits are written by their bit pattern, since Avro's long is signed.
//
// A nil and an empty slice or map are the same on the wire and decode as nil. A time is its instant to
// the nanosecond, in any year: location and monotonic reading are dropped, the zero time stays the zero time. Pointers are
// followed: two pointers to one value decode as two values.
type Encoding[T any] struct{ u *Untyped }

// Derive compiles the encoding of T. It looks at the type once, when a plan is built; an error names the first field that
// cannot be encoded, its type, and what to do.
func Derive[T any]() (*Encoding[T], error) {
	u, err := DeriveType(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return &Encoding[T]{u}, nil
}

// Untyped is the encoding without its type.
func (e *Encoding[T]) Untyped() *Untyped { return e.u }

// Append appends the encoding of v to dst and returns the extended slice. It allocates only to grow dst, unless T has maps or
// a registered codec allocates. It panics if a registered codec returns an error.
func (e *Encoding[T]) Append(dst []byte, v *T) []byte {
	return e.u.root.append(dst, noescape(unsafe.Pointer(v)))
}

// Decode overwrites v with the value at the start of src and returns the bytes after it. The value does not alias src. Errors
// wrap ErrDamaged, or are those of a registered codec; v is then partly written.
//
// Hostile input cannot make it panic or take more memory than a real value of the same length would: an element must have its
// bytes in src before it gets memory. How much that is depends on T: 24 bytes for an empty slice, which is written as one.
func (e *Encoding[T]) Decode(src []byte, v *T) (rest []byte, err error) {
	var zero T
	*v = zero
	return e.u.root.decode(src, noescape(unsafe.Pointer(v)))
}

// Schema is the Avro schema of the encoding as JSON, without spaces, in the attribute order of Avro's canonical form.
func (e *Encoding[T]) Schema() string { return e.u.schema }

// SchemaHash tells encodings apart where a schema would be too long to stand beside each value.
func (e *Encoding[T]) SchemaHash() uint64 { return xxhash.Sum64String(e.u.schema) }

// HasPointers says whether a T in memory holds pointers, which the garbage collector has to follow.
func (e *Encoding[T]) HasPointers() bool { return e.u.pointers }

// noescape hides p from escape analysis, so that a value on the caller's stack stays there. It is sound because no node keeps
// p anywhere but on its own stack, and because stacks move only where functions are called, never between these two lines.
//
//go:nosplit
//go:nocheckptr
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
