// Package columns says which column of a text belongs to which field of a struct: what the file source reads, the file sink
// writes.
package columns

import (
	"fmt"
	"reflect"
	"strings"
)

// Field is a field of a struct that has a column.
type Field struct {
	Name  string // of the column
	Index int
	Type  reflect.Type
}

// Of lists the exported fields of a struct, in their order. A column has the name in the field's tag csv:"name" or
// millrace:"name", or the field's own; csv:"-" leaves a field out. []string is a record of any columns and has none.
func Of(t reflect.Type) ([]Field, error) {
	if t == reflect.TypeFor[[]string]() {
		return nil, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("csv: records of type %v: use a struct, or []string", t)
	}
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name := nameOf(f)
		if name == "-" || !f.IsExported() {
			continue
		}
		for _, other := range fields {
			if strings.EqualFold(other.Name, name) {
				return nil, fmt.Errorf("csv: two fields of %v want the column %q", t, name)
			}
		}
		fields = append(fields, Field{Name: name, Index: i, Type: f.Type})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("csv: %v has no field that can be a column", t)
	}
	return fields, nil
}

func nameOf(f reflect.StructField) string {
	for _, key := range []string{"csv", "millrace"} {
		if name, _, _ := strings.Cut(f.Tag.Get(key), ","); name != "" {
			return name
		}
	}
	return f.Name
}
