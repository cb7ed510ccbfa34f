package codec

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unsafe"
)

// field is one field of a record, or of a record inside it.
type field struct {
	name   string
	offset uintptr
	node   *node
}

// record compiles a struct.
func (d *deriver) record(t reflect.Type, path string) (*node, error) {
	s := &schema{kind: "record", name: d.unique(recordName(t, path))}
	n := &node{schema: s}
	seen := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, at := fieldName(f), path+"."+f.Name
		if name == "" {
			continue
		}
		if err := checkField(f, name, at, seen); err != nil {
			return nil, err
		}
		fn, err := d.derive(f.Type, at)
		if err != nil {
			return nil, err
		}
		n.min += fn.min
		n.fields = append(n.fields, flatten(field{name, f.Offset, fn})...)
		s.fields = append(s.fields, member{name, fn.schema})
	}
	if err := checkAliases(t, path, seen); err != nil {
		return nil, err
	}
	n.append, n.decode = appendFields(n.fields), decodeFields(n.fields)
	return n, nil
}

// flatten replaces a field that is a record by that record's fields, which are the same bytes.
func flatten(f field) []field {
	if f.node.fields == nil {
		return []field{f}
	}
	inner := make([]field, len(f.node.fields))
	for i, g := range f.node.fields {
		inner[i] = field{f.name + "." + g.name, f.offset + g.offset, g.node}
	}
	return inner
}

// appendFields writes fields one after the other, words without a call each.
func appendFields(fields []field) func([]byte, unsafe.Pointer) []byte {
	type step struct {
		offset uintptr
		append func([]byte, unsafe.Pointer) []byte // nil: a word
	}
	steps := make([]step, len(fields))
	for i, f := range fields {
		steps[i] = step{f.offset, f.node.append}
		if f.node.word {
			steps[i].append = nil
		}
	}
	return func(dst []byte, p unsafe.Pointer) []byte {
		for i := range steps {
			s := &steps[i]
			if s.append != nil {
				dst = s.append(dst, unsafe.Add(p, s.offset))
			} else {
				dst = appendLong(dst, *(*int64)(unsafe.Add(p, s.offset)))
			}
		}
		return dst
	}
}

func decodeFields(fields []field) func([]byte, unsafe.Pointer) ([]byte, error) {
	return func(src []byte, p unsafe.Pointer) (_ []byte, err error) {
		for i := range fields {
			f := &fields[i]
			if src, err = f.node.decode(src, unsafe.Add(p, f.offset)); err != nil {
				return nil, inField(f.name, err)
			}
		}
		return src, nil
	}
}

// unique makes a name that Avro allows and that no other type has.
func (d *deriver) unique(base string) string {
	base = avroName(strings.NewReplacer("[]", ".item", "]", "").Replace(base))
	name := base
	for i := 2; d.named[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	d.named[name] = true
	return name
}

// recordName is the name of a struct type, or the path to it if it has none.
func recordName(t reflect.Type, path string) string {
	if t.Name() == "" {
		return path
	}
	return typeName(t)
}

// importPaths matches what stands before the names of type arguments.
var importPaths = regexp.MustCompile(`[^\[\],* ]*\.`)

// typeName is the name of t, without the import paths of its type arguments: moving a package does not change a schema.
func typeName(t reflect.Type) string { return importPaths.ReplaceAllString(t.Name(), "") }

// avroName replaces what Avro does not allow in names.
func avroName(s string) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, s)
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
