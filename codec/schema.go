package codec

import (
	"strconv"
	"strings"
)

// schema is an Avro schema. Its attributes are rendered in the order of Avro's canonical form, logicalType after type.
type schema struct {
	kind    string   // a primitive's name, "record", "array", "map", "fixed", "union", or "" for a reference
	logical string   // what the kind does not say of the Go type: one of the names below or of an integer's
	name    string   // of a record, of a fixed, of what is referred to
	fields  []member // of a record
	items   *schema  // of an array, of a map's values, of a union's second branch
	size    int      // of a fixed
	length  string   // of an array that is a Go array: its length; readers of Avro pass over this attribute
}

// Logical types, which readers of Avro pass over when they do not know them. Those of integers are in integers.
const (
	logicalTime       = "time"       // a record that is a time.Time
	logicalMap        = "map"        // an array of entries that is a Go map
	logicalRegistered = "registered" // bytes that a registered codec wrote
)

// member is one field of a record's schema.
type member struct {
	name   string
	schema *schema
}

func primitive(kind string) *schema { return &schema{kind: kind} }

// reference is the schema where it occurs once more: named types become their names.
func (s *schema) reference() *schema {
	c := *s
	switch {
	case s.kind == "record", s.kind == "fixed":
		return &schema{name: s.name}
	case s.items != nil:
		c.items = s.items.reference()
	}
	return &c
}

func (s *schema) render() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s *schema) write(b *strings.Builder) {
	switch s.kind {
	case "":
		b.WriteString(strconv.Quote(s.name))
	case "record":
		s.writeRecord(b)
	case "fixed":
		b.WriteString(`{"name":` + strconv.Quote(s.name) + `,"type":"fixed","size":` + strconv.Itoa(s.size) + `}`)
	case "array":
		s.writeItems(b, `{"type":"array","items":`, s.attributes()+"}")
	case "map":
		s.writeItems(b, `{"type":"map","values":`, "}")
	case "union":
		s.writeItems(b, `["null",`, "]")
	default:
		if s.logical == "" {
			b.WriteString(strconv.Quote(s.kind))
			return
		}
		b.WriteString(`{"type":` + strconv.Quote(s.kind) + s.attributes() + `}`)
	}
}

// attributes is what stands behind those of Avro's canonical form.
func (s *schema) attributes() (a string) {
	if s.logical != "" {
		a = `,"logicalType":` + strconv.Quote(s.logical)
	}
	if s.length != "" {
		a += `,"length":` + s.length
	}
	return a
}

func (s *schema) writeItems(b *strings.Builder, open, end string) {
	b.WriteString(open)
	s.items.write(b)
	b.WriteString(end)
}

func (s *schema) writeRecord(b *strings.Builder) {
	b.WriteString(`{"name":` + strconv.Quote(s.name) + `,"type":"record","fields":[`)
	for i, m := range s.fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":` + strconv.Quote(m.name) + `,"type":`)
		m.schema.write(b)
		b.WriteByte('}')
	}
	b.WriteString("]" + s.attributes() + "}")
}
