package sources

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// fields reads the varints that make up a position.
type fields struct {
	rest flow.Position
	bad  bool
}

func (f *fields) int() int64 {
	v, n := binary.Varint(f.rest)
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// end reports whether p was exactly the fields read. what names the source in the error.
func (f *fields) end(what string, p flow.Position) error {
	if f.bad || len(f.rest) > 0 {
		return fmt.Errorf("%s: position %x is damaged, or of another kind of source", what, []byte(p))
	}
	return nil
}

// indexPosition appends the position of a source whose records are numbered.
func indexPosition(dst flow.Position, next int64) flow.Position {
	return binary.AppendVarint(dst, next)
}

// indexAt decodes a position made by indexPosition; an empty one is 0.
func indexAt(what string, p flow.Position) (int64, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f := fields{rest: p}
	next := f.int()
	if err := f.end(what, p); err != nil {
		return 0, err
	}
	if next < 0 {
		return 0, fmt.Errorf("%s: position %d is negative", what, next)
	}
	return next, nil
}

// indexUntil is the position until, or from itself when that is where it stands already.
func indexUntil(from flow.Position, next, until int64) flow.Position {
	if next == until && len(from) > 0 {
		return from
	}
	return indexPosition(nil, until)
}
