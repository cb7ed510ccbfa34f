package codec

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// Resolution reads values of a type that were written under an older schema. It is immutable and safe for use by several
// goroutines. The fields of a type that occurs at several places are named at the first.
type Resolution struct {
	Added   []string // paths of the fields that were not written: they are zero
	Dropped []string // paths of what was written and has no field any more

	of       *Untyped
	resolved *node
}

// Decode is Untyped.Decode for the older bytes.
func (r *Resolution) Decode(src []byte, v unsafe.Pointer) (rest []byte, err error) {
	r.of.Zero(v)
	return r.resolved.decode(src, noescape(v))
}

// Resolve compiles the reading of values that were written under the schema writer, which an older version of the type gave. The
// error is a *Mismatch when the types are in the way.
//
// The rules are those of schema resolution in the Avro specification, 1.12, with Go's differences: fields match by name, or by
// an alias in the tag of the new field; a field that was not written is the zero value of its type (Avro wants a default), one
// that was written and is gone is passed over. An int is read as a wider one or as a float, a float32 as a float64, a
// string as bytes and back, a value where a pointer is now. The names of types do not matter. The key of a map and the
// length of an array stay as they are; a pointer stays one.
func (u *Untyped) Resolve(writer string) (*Resolution, error) {
	w, wp, err := parseSchema(writer)
	if err != nil {
		return nil, fmt.Errorf("written schema: %w", err)
	}
	is, _, err := parseSchema(u.schema)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	r := &resolver{
		derive: newDeriver(u.of), writer: wp, alike: map[schemaPair]bool{}, done: map[readAs]*node{}, skips: map[*schema]skipper{},
	}
	n, err := r.resolve(w, is, u.of, "")
	if err != nil {
		return nil, err
	}
	return &Resolution{Added: r.added, Dropped: r.dropped, of: u, resolved: n}, nil
}

// resolver compiles the reading of one schema as one type.
type resolver struct {
	derive         *deriver
	writer         *parser
	alike          map[schemaPair]bool
	done           map[readAs]*node
	skips          map[*schema]skipper
	added, dropped []string
}

type schemaPair struct{ was, is *schema }

type readAs struct {
	was *schema
	is  reflect.Type
}

// resolve compiles the reading of w as t, whose own schema is s. The node has no append and no schema.
func (r *resolver) resolve(w, s *schema, t reflect.Type, path string) (*node, error) {
	if n := r.done[readAs{w, t}]; n != nil {
		return n, nil
	}
	own, err := r.derive.derive(t, path)
	if err != nil {
		return nil, err
	}
	n := own
	if !r.same(w, s) {
		if n, err = r.convert(w, s, t, path, own); err != nil {
			return nil, err
		}
	}
	r.done[readAs{w, t}] = n
	return n, nil
}

// same says whether values of two schemas have the same bytes and mean the same. The names of types may differ.
func (r *resolver) same(w, s *schema) bool {
	same, known := r.alike[schemaPair{w, s}]
	if known {
		return same
	}
	same = w.kind == s.kind && w.logical == s.logical && w.size == s.size && w.length == s.length && len(w.fields) == len(s.fields)
	for i := 0; same && i < len(w.fields); i++ {
		same = w.fields[i].name == s.fields[i].name && r.same(w.fields[i].schema, s.fields[i].schema)
	}
	same = same && (w.items == nil || r.same(w.items, s.items))
	r.alike[schemaPair{w, s}] = same
	return same
}

// convert compiles the reading of w as a t of another schema.
func (r *resolver) convert(w, s *schema, t reflect.Type, path string, own *node) (*node, error) {
	switch {
	case s.logical == logicalRegistered || w.logical == logicalRegistered:
		return nil, mismatch(w, t, path, "and bytes of a registered codec are read by that codec only")
	case s.kind == "union":
		return r.optional(w, s, t, path)
	case w.kind == "union":
		return nil, mismatch(w, t, path, "which cannot be absent; keep the pointer")
	case s.logical == logicalTime || w.logical == logicalTime:
		return nil, mismatch(w, t, path, "")
	case s.kind == "record" && w.kind == "record":
		return r.record(w, s, t, path)
	case s.kind == "array" && s.logical == logicalMap, s.kind == "map":
		return r.mapping(w, s, t, path)
	case s.kind == "array" && w.kind == "array" && w.logical == "":
		return r.array(w, s, t, path)
	}
	if n := promote(w, t, own); n != nil {
		return n, nil
	}
	return nil, mismatch(w, t, path, "")
}

// optional compiles the reading as a pointer, of a pointer or of a value that was always there.
func (r *resolver) optional(w, s *schema, t reflect.Type, path string) (*node, error) {
	value := w
	if w.kind == "union" {
		value = w.items
	}
	elem, err := r.resolve(value, s.items, t.Elem(), path)
	if err != nil {
		return nil, err
	}
	if w.kind == "union" {
		return &node{min: 1, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			return decodeUnion(src, p, t.Elem(), elem)
		}}, nil
	}
	return &node{min: elem.min, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
		return decodePointer(src, p, t.Elem(), elem)
	}}, nil
}

// array compiles the reading of an array's or slice's elements.
func (r *resolver) array(w, s *schema, t reflect.Type, path string) (*node, error) {
	if s.length != "" && w.length != s.length {
		return nil, mismatch(w, t, path, "and an array keeps its length; make it a slice")
	}
	elem, err := r.resolve(w.items, s.items, t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Slice {
		return &node{min: 1, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			return decodeSlice(src, (*sliceHeader)(p), t, elem)
		}}, nil
	}
	return &node{min: 1 + t.Len()*elem.min, decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
		return decodeArray(src, p, t.Len(), t.Elem().Size(), elem)
	}}, nil
}

// mapping compiles the reading of a map's values. Its keys stay as they are: two that became one would lose an entry.
func (r *resolver) mapping(w, s *schema, t reflect.Type, path string) (*node, error) {
	if w.kind != s.kind || w.logical != s.logical {
		return nil, mismatch(w, t, path, "")
	}
	was, is := w.items, s.items
	if s.kind == "array" {
		if len(was.fields) != 2 || !r.same(was.fields[0].schema, is.fields[0].schema) {
			return nil, mismatch(w, t, path, "and the key of a map stays as it is")
		}
		was, is = was.fields[1].schema, is.fields[1].schema
	}
	key, err := r.derive.derive(t.Key(), path+"[key]")
	if err != nil {
		return nil, err
	}
	elem, err := r.resolve(was, is, t.Elem(), path+"[value]")
	if err != nil {
		return nil, err
	}
	return &node{min: 1, decode: (&mapping{t: t, key: key, elem: elem}).decode}, nil
}

// join is the path of a field.
func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
