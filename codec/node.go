package codec

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// depthMax bounds how deeply types may nest. Types do not contain themselves, so it bounds the depth of values too.
const depthMax = 100

// node is the compiled encoding of one type. The functions get a pointer to a value of that type and must not keep it.
type node struct {
	append func(dst []byte, p unsafe.Pointer) []byte
	decode func(src []byte, p unsafe.Pointer) (rest []byte, err error)
	schema *schema
	min    int     // the fewest bytes a value takes
	fields []field // of a record only: a record inside a record becomes part of it
}

// deriver compiles one root type.
type deriver struct {
	open  map[reflect.Type]bool   // the types we are inside of
	named map[string]reflect.Type // the Avro names given
	done  map[reflect.Type]*node
}

func newDeriver() *deriver {
	return &deriver{open: map[reflect.Type]bool{}, named: map[string]reflect.Type{}, done: map[reflect.Type]*node{}}
}

// derive compiles t, found at path.
func (d *deriver) derive(t reflect.Type, path string) (*node, error) {
	if n := registered(t); n != nil {
		return n, nil
	}
	if n := d.done[t]; n != nil {
		return n.again(), nil
	}
	if d.open[t] {
		return nil, fmt.Errorf("field %s: %s contains itself, which cannot be encoded; register a codec for it or keep it out of the record", path, t)
	}
	if len(d.open) >= depthMax {
		return nil, fmt.Errorf("field %s: %s nests more than %d types deep", path, t, depthMax)
	}
	d.open[t] = true
	n, err := d.compile(t, path)
	delete(d.open, t)
	if err == nil {
		d.done[t] = n
	}
	return n, err
}

// again is the node where its type occurs once more: Avro defines a named type once and then refers to it.
func (n *node) again() *node {
	c := *n
	c.schema = n.schema.reference()
	return &c
}

func (d *deriver) compile(t reflect.Type, path string) (*node, error) {
	if t == timeType {
		return timeNode(), nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.record(t, path)
	case reflect.Pointer:
		return d.union(t, path)
	case reflect.Slice:
		if isByte(t.Elem()) {
			return bytesNode(), nil
		}
		return d.slice(t, path)
	case reflect.Array:
		if isByte(t.Elem()) {
			return d.fixed(t), nil
		}
		return d.array(t, path)
	case reflect.Map:
		return d.mapping(t, path)
	}
	if n := scalar(t.Kind()); n != nil {
		return n, nil
	}
	return nil, cannotEncode(path, t)
}

// cannotEncode is the error of a type that has no encoding.
func cannotEncode(path string, t reflect.Type) error {
	return fmt.Errorf("field %s: %s cannot be encoded; register a codec for it or keep it out of the record", path, t)
}

// isByte says whether slices of t are written as bytes.
func isByte(t reflect.Type) bool { return t.Kind() == reflect.Uint8 && registered(t) == nil }

// rootPath is how error texts call the type itself.
func rootPath(t reflect.Type) string {
	if t.Name() != "" {
		return t.Name()
	}
	return t.String()
}

// inField puts the field's name before a decoding error.
func inField(name string, err error) error {
	if in, ok := errors.AsType[*fieldError](err); ok && in == err {
		return &fieldError{name + "." + in.path, in.err}
	}
	return &fieldError{name, err}
}

// fieldError says which field could not be decoded.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return "field " + e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// hasPointers says whether a value of t holds pointers.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	}
	return false
}
