package state

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
)

// shape is how the entries of a table lie in memory and how their values are written. It is all that a table knows of its
// values' type: the tables themselves are compiled once, and not for each type of value that a program keeps. A value's pointer
// is good for reading and writing as that type; only what a shape allocates is handed to it.
type shape interface {
	// entries allocates n entries, typed, so that the collector finds the pointers in them.
	entries(n int) unsafe.Pointer
	// move copies the first n entries of src into dst.
	move(dst, src unsafe.Pointer, n int)
	size() uintptr
	zero(value unsafe.Pointer)

	append(dst []byte, value unsafe.Pointer) []byte
	decode(src []byte, value unsafe.Pointer) error // all of src
	resolve(writer string) (*Evolution, error)
	schema() string
	pointers() bool
}

// valuing is how values of a type are written and read; codec.Encoding is one.
type valuing[V any] interface {
	Append(dst []byte, v *V) []byte
	Decode(src []byte, v *V) (rest []byte, err error)
	Schema() string
	HasPointers() bool
}

// entry is the head of an entry: its value follows, as in typed.
type entry struct{ key arenaKey }

// value is where the value of the entry is.
func (e *entry) value() unsafe.Pointer { return unsafe.Add(unsafe.Pointer(e), valueOffset) }

// typed is an entry with its value.
type typed[V any] struct {
	key arenaKey
	val V
}

// valueOffset is the same for all types: none is aligned to more than eight bytes.
const valueOffset = unsafe.Sizeof(arenaKey{})

// shaped is the shape of tables of V.
type shaped[V any] struct{ values valuing[V] }

func (s shaped[V]) entries(n int) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([]typed[V], n)))
}

func (s shaped[V]) move(dst, src unsafe.Pointer, n int) {
	copy(unsafe.Slice((*typed[V])(dst), n), unsafe.Slice((*typed[V])(src), n))
}

func (s shaped[V]) size() uintptr { return unsafe.Sizeof(typed[V]{}) }

func (s shaped[V]) zero(value unsafe.Pointer) {
	var none V
	*(*V)(value) = none
}

func (s shaped[V]) append(dst []byte, value unsafe.Pointer) []byte {
	return s.values.Append(dst, (*V)(value))
}

func (s shaped[V]) decode(src []byte, value unsafe.Pointer) error {
	rest, err := s.values.Decode(src, (*V)(value))
	return whole("value", rest, err)
}

func (s shaped[V]) schema() string { return s.values.Schema() }
func (s shaped[V]) pointers() bool { return s.values.HasPointers() }

// resolving is a valuing that can read older schemas; codec.Encoding is one.
type resolving[V any] interface {
	Resolve(writer string) (*codec.Resolution[V], error)
}

func (s shaped[V]) resolve(writer string) (*Evolution, error) {
	values, ok := s.values.(resolving[V])
	if !ok {
		return nil, errors.New("its values are of one schema only")
	}
	var v V
	_, wrapped := any(v).(wrapper)
	r, err := values.Resolve(writer)
	if err != nil {
		return nil, unwrapMismatch(err, wrapped)
	}
	return &Evolution{Added: unwrapPaths(r.Added, wrapped), Dropped: unwrapPaths(r.Dropped, wrapped), Rewrite: func(dst, value []byte) ([]byte, error) {
		var v V
		rest, err := r.Decode(value, &v)
		if err := whole("value of an older version", rest, err); err != nil {
			return nil, err
		}
		return s.values.Append(dst, &v), nil
	}}, nil
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

// derived is the valuing of values that are made anew after a restore and in no snapshot.
type derived[V any] struct{}

func (derived[V]) Append(dst []byte, _ *V) []byte { return dst }
func (derived[V]) Schema() string                 { return "" }
func (derived[V]) HasPointers() bool              { return false } // nobody waits for a snapshot of them

func (derived[V]) Decode(src []byte, v *V) ([]byte, error) {
	var none V
	*v = none
	return src, nil
}
