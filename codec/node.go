package codec

import (
	"fmt"
	"maps"
	"reflect"
	"unsafe"
)

// depthMax bounds how deeply types may nest. Types do not contain themselves, so it bounds the depth of values too.
const depthMax = 100

// node is the compiled encoding of one type. The functions get a pointer to a value of that type and must not keep it.
// decode gets a zero value.
type node struct {
	append func(dst []byte, p unsafe.Pointer) []byte
	decode func(src []byte, p unsafe.Pointer) (rest []byte, err error)
	schema *schema
	word   bool    // append is appendLong of the value's eight bytes
	min    int     // the fewest bytes a value takes
	fields []field // of a record only: a record inside a record becomes part of it
}

// deriver compiles one root type.
type deriver struct {
	root  string                 // the path of the root type
	plain bool                   // registered codecs do not apply
	open  map[reflect.Type]bool  // the types we are inside of
	done  map[reflect.Type]*node // the types compiled before
	named map[string]bool        // the Avro names given
}

func newDeriver(t reflect.Type) *deriver {
	return &deriver{
		root:  rootPath(t),
		open:  map[reflect.Type]bool{},
		done:  map[reflect.Type]*node{},
		named: maps.Clone(avroTypes),
	}
}

// avroTypes are the names that mean types of Avro's own.
var avroTypes = map[string]bool{
	"null": true, "boolean": true, "int": true, "long": true, "float": true, "double": true, "bytes": true, "string": true,
	"record": true, "enum": true, "array": true, "map": true, "fixed": true, "union": true, "error": true,
}

// derive compiles t, found at path.
func (d *deriver) derive(t reflect.Type, path string) (*node, error) {
	if n := d.registered(t); n != nil {
		return n, nil
	}
	if n := d.done[t]; n != nil {
		return n.again(), nil
	}
	if d.open[t] {
		return nil, fmt.Errorf("%s%s contains itself and cannot be encoded; register a codec for it or keep it out of the record", d.in(path), t)
	}
	if len(d.open) == depthMax {
		return nil, fmt.Errorf("%s%s is nested more than %d types deep", d.in(path), t, depthMax)
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
		return d.time(), nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.record(t, path)
	case reflect.Pointer:
		return d.union(t, path)
	case reflect.Slice:
		if d.isByte(t.Elem()) {
			return bytesNode(), nil
		}
		return d.slice(t, path)
	case reflect.Array:
		if d.isByte(t.Elem()) {
			return d.fixed(t), nil
		}
		return d.array(t, path)
	case reflect.Map:
		return d.mapping(t, path)
	}
	if n := scalar(t.Kind()); n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%s%s cannot be encoded; register a codec for it or keep it out of the record", d.in(path), t)
}

// in starts an error about what is at path.
func (d *deriver) in(path string) string {
	if path == d.root {
		return ""
	}
	return "field " + path + ": "
}

// registered returns the node of the codec registered for t, or nil.
func (d *deriver) registered(t reflect.Type) *node {
	if d.plain {
		return nil
	}
	return registered(t)
}

// isByte says whether slices and arrays of t are written as bytes.
func (d *deriver) isByte(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 && d.registered(t) == nil
}

// rootPath is how error texts call the type itself.
func rootPath(t reflect.Type) string {
	switch {
	case t.Name() != "":
		return typeName(t)
	case t.Kind() == reflect.Pointer:
		return rootPath(t.Elem())
	}
	return "value"
}

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
