package codec

import (
	"encoding/json"
	"fmt"
	"math"
)

// Bounds of a schema that is read back: deeper and larger than any that Derive makes of a sensible type.
const (
	schemaDepthMax = 3 * depthMax
	schemaNodesMax = 1 << 20 // with every reference written out
)

// parser reads a schema that Derive rendered. References become the schemas they name, so a parsed schema has none.
type parser struct {
	named map[string]*schema
	sizes map[*schema]schemaSize
}

// schemaSize measures a schema with every reference written out.
type schemaSize struct {
	depth, nodes int
	min          int // the fewest bytes a value takes
}

// parseSchema reads a schema. What Derive does not make (enums, other unions, recursion, arrays of nothing) is an error.
func parseSchema(text string) (*schema, *parser, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, nil, fmt.Errorf("schema is not json: %w", err)
	}
	p := &parser{map[string]*schema{}, map[*schema]schemaSize{}}
	s, err := p.parse(v, 0)
	return s, p, err
}

func (p *parser) parse(v any, depth int) (*schema, error) {
	if depth > schemaDepthMax {
		return nil, fmt.Errorf("schema is nested more than %d deep", schemaDepthMax)
	}
	var s *schema
	var err error
	switch v := v.(type) {
	case string:
		if s = p.named[v]; s != nil {
			return s, nil
		}
		s = primitive(v)
	case []any:
		s, err = p.union(v, depth)
	case map[string]any:
		s, err = p.object(v, depth)
	default:
		err = fmt.Errorf("schema holds a %T", v)
	}
	if err != nil {
		return nil, err
	}
	return s, p.measure(s)
}

func (p *parser) union(branches []any, depth int) (*schema, error) {
	if len(branches) != 2 || branches[0] != "null" {
		return nil, fmt.Errorf("union of %d branches is not of null and one type", len(branches))
	}
	items, err := p.parse(branches[1], depth+1)
	if err == nil && items.kind == "union" {
		err = fmt.Errorf("union holds a union")
	}
	return &schema{kind: "union", items: items}, err
}

func (p *parser) object(o map[string]any, depth int) (s *schema, err error) {
	s = &schema{kind: text(o["type"]), logical: text(o["logicalType"]), name: text(o["name"])}
	switch s.kind {
	case "record":
		err = p.record(s, o, depth)
	case "fixed":
		size, ok := o["size"].(float64)
		if s.size = int(size); !ok || size < 0 || size > math.MaxInt32 || float64(s.size) != size {
			err = fmt.Errorf("fixed %q has size %v", s.name, o["size"])
		}
	case "array":
		if length, ok := o["length"].(float64); ok {
			s.length = fmt.Sprint(int64(length))
		}
		s.items, err = p.parse(o["items"], depth+1)
	case "map":
		s.items, err = p.parse(o["values"], depth+1)
	default:
		s.name = ""
	}
	if err != nil || s.name == "" {
		return s, err
	}
	if p.named[s.name] != nil || avroTypes[s.name] {
		return nil, fmt.Errorf("name %q is defined twice", s.name)
	}
	p.named[s.name] = s
	return s, nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func (p *parser) record(s *schema, o map[string]any, depth int) error {
	fields, ok := o["fields"].([]any)
	if !ok {
		return fmt.Errorf("record %q has no fields", s.name)
	}
	seen := map[string]bool{}
	for _, f := range fields {
		f, ok := f.(map[string]any)
		name := text(f["name"])
		if !ok || name == "" || seen[name] {
			return fmt.Errorf("record %q has a field without a name of its own", s.name)
		}
		seen[name] = true
		fs, err := p.parse(f["type"], depth+1)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		s.fields = append(s.fields, member{name, fs})
	}
	return nil
}

// leastBytes are those of the kinds without parts.
var leastBytes = map[string]int{"boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}

// measure checks the kind and the size of a schema whose parts are measured.
func (p *parser) measure(s *schema) error {
	m := schemaSize{depth: 1, nodes: 1, min: 1}
	switch s.kind {
	case "record":
		m.min = 0
		for _, f := range s.fields {
			part := p.sizes[f.schema]
			m.include(part)
			m.min += part.min
		}
	case "fixed":
		m.min = s.size
	case "array", "map", "union":
		part := p.sizes[s.items]
		if s.kind == "array" && part.min == 0 {
			return fmt.Errorf("array has elements without content")
		}
		m.include(part)
	default:
		least, ok := leastBytes[s.kind]
		if _, isInteger := integerIn(s); !ok || least == 1 && (s.kind == "int" || s.kind == "long") && !isInteger {
			return fmt.Errorf("type %q with logical type %q is not known", s.kind, s.logical)
		}
		m.min = least
	}
	if m.depth > schemaDepthMax || m.nodes > schemaNodesMax || m.min > math.MaxInt32 {
		return fmt.Errorf("schema is too large")
	}
	p.sizes[s] = m
	return nil
}

func (m *schemaSize) include(part schemaSize) {
	m.depth = max(m.depth, part.depth+1)
	m.nodes += part.nodes
}
