package codec

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// written is what is done with one field of the written record: it is read into a field, or passed over.
type written struct {
	name   string
	skip   skipper
	offset uintptr
	node   *node
}

// record compiles the reading of a struct's fields, in the order they were written.
func (r *resolver) record(w, s *schema, t reflect.Type, path string) (*node, error) {
	into, err := r.match(w, t, path)
	if err != nil {
		return nil, err
	}
	if len(into) == 0 && len(w.fields) > 0 && len(s.fields) > 0 {
		return nil, mismatch(w, t, path, "which shares no field with it; name the old field of one by the tag `millrace:\",alias=old\"`")
	}
	n := &node{}
	steps := make([]written, len(w.fields))
	taken := map[string]bool{}
	for i, wf := range w.fields {
		f, ok := into[wf.name]
		if !ok {
			r.dropped = append(r.dropped, join(path, wf.name))
			steps[i] = written{name: wf.name, skip: r.skip(wf.schema)}
			n.min += r.writer.sizes[wf.schema].min
			continue
		}
		name := fieldName(f)
		taken[name] = true
		is := s.fields[slices.IndexFunc(s.fields, func(m member) bool { return m.name == name })].schema
		fn, err := r.resolve(wf.schema, is, f.Type, join(path, name))
		if err != nil {
			return nil, err
		}
		steps[i] = written{name: name, offset: f.Offset, node: fn}
		n.min += fn.min
	}
	for _, m := range s.fields {
		if !taken[m.name] {
			r.added = append(r.added, join(path, m.name))
		}
	}
	n.decode = decodeWritten(steps)
	return n, nil
}

// match finds the field of t for each written one that has one: by its name, otherwise by an alias.
func (r *resolver) match(w *schema, t reflect.Type, path string) (map[string]reflect.StructField, error) {
	names := map[string]bool{}
	for _, m := range w.fields {
		names[m.name] = true
	}
	into := map[string]reflect.StructField{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := fieldName(f)
		if name == "" {
			continue
		}
		aliases, err := fieldAliases(f)
		if err != nil {
			return nil, err
		}
		candidates := slices.DeleteFunc(aliases, func(alias string) bool { return !names[alias] })
		if names[name] {
			candidates = []string{name}
		}
		if len(candidates) > 1 {
			return nil, mismatch(w, t, join(path, name), fmt.Sprintf("and its aliases %q were all written; keep one of them", candidates))
		}
		if len(candidates) == 1 {
			into[candidates[0]] = f
		}
	}
	return into, nil
}

func decodeWritten(steps []written) func([]byte, unsafe.Pointer) ([]byte, error) {
	return func(src []byte, p unsafe.Pointer) (_ []byte, err error) {
		for i := range steps {
			if s := &steps[i]; s.skip != nil {
				src, err = s.skip(src)
			} else {
				src, err = s.node.decode(src, unsafe.Add(p, s.offset))
			}
			if err != nil {
				return nil, inField(steps[i].name, err)
			}
		}
		return src, nil
	}
}
