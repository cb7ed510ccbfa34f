package codec

import (
	"fmt"
	"reflect"
)

// Mismatch says that values of one schema cannot be read as a Go type.
type Mismatch struct {
	Field   string // the path to it, by the names in the schema; "" is the value itself
	Was, Is string // what was written and what is to be read, as Go types
	Why     string // what is in the way, when the types do not say it
}

func (m *Mismatch) Error() string {
	at := "value"
	if m.Field != "" {
		at = fmt.Sprintf("field %q", m.Field)
	}
	why := m.Why
	if why == "" {
		why = "which cannot hold it"
	}
	return fmt.Sprintf("%s was written as %s and is now %s, %s", at, m.Was, m.Is, why)
}

func mismatch(w *schema, t reflect.Type, path, why string) error {
	return &Mismatch{Field: path, Was: w.goName(), Is: t.String(), Why: why}
}

// goName is the Go type that a schema was derived from, as far as it says.
func (s *schema) goName() string {
	if i, ok := integerIn(s); ok {
		return i.goName()
	}
	switch s.kind {
	case "boolean":
		return "bool"
	case "float":
		return "float32"
	case "double":
		return "float64"
	case "bytes":
		if s.logical == logicalRegistered {
			return "a type with a registered codec"
		}
		return "[]byte"
	case "record":
		if s.logical == logicalTime {
			return "time.Time"
		}
		return "struct " + s.name
	case "fixed":
		return fmt.Sprintf("[%d]byte", s.size)
	case "union":
		return "*" + s.items.goName()
	case "array":
		if s.logical == logicalMap && len(s.items.fields) == 2 {
			return "map[" + s.items.fields[0].schema.goName() + "]" + s.items.fields[1].schema.goName()
		}
		return "[" + s.length + "]" + s.items.goName()
	case "map":
		return "map[string]" + s.items.goName()
	}
	return s.kind
}
