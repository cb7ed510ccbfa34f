package codec

import (
	"fmt"
	"reflect"
	"unsafe"
)

// The branches of the union ["null", T], as Avro writes their indexes.
const (
	branchNull  = 0
	branchValue = 2
)

// union compiles a pointer.
func (d *deriver) union(t reflect.Type, path string) (*node, error) {
	elem, err := d.derive(t.Elem(), path)
	if err != nil {
		return nil, err
	}
	if elem.schema.kind == "union" {
		return nil, fmt.Errorf("%s%s is a pointer to a pointer, which has no encoding; use one pointer or a struct between them", d.in(path), t)
	}
	return &node{
		min:    1,
		schema: &schema{kind: "union", items: elem.schema},
		append: func(dst []byte, p unsafe.Pointer) []byte {
			to := *(*unsafe.Pointer)(p)
			if to == nil {
				return append(dst, branchNull)
			}
			return elem.append(append(dst, branchValue), to)
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			return decodeUnion(src, p, t.Elem(), elem)
		},
	}, nil
}

func decodeUnion(src []byte, p unsafe.Pointer, t reflect.Type, elem *node) ([]byte, error) {
	branch, rest, err := readLong(src)
	switch {
	case err != nil:
		return nil, err
	case branch == 0:
		*(*unsafe.Pointer)(p) = nil
		return rest, nil
	case branch != 1:
		return nil, damaged("branch is %d, want 0 (null) or 1 (value)", branch)
	}
	return decodePointer(rest, p, t, elem)
}

// decodePointer reads what p is to point to.
func decodePointer(src []byte, p unsafe.Pointer, t reflect.Type, elem *node) ([]byte, error) {
	if len(src) < elem.min {
		// Before the allocation, which may be much larger than what is left.
		return nil, damaged("value has %d bytes, want at least %d", len(src), elem.min)
	}
	to := reflect.New(t).UnsafePointer()
	*(*unsafe.Pointer)(p) = to
	return elem.decode(src, to)
}
