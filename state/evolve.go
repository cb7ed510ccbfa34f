package state

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/delta"
)

// Evolution is the rewriting of a state's values that an older version of the job wrote under another schema.
type Evolution struct {
	Added   []string // paths of the fields that were not written: they become zero
	Dropped []string // paths of what was written and has no field any more

	// Rewrite appends to dst what value is under the schema of now. It may be called from any goroutine.
	Rewrite func(dst, value []byte) ([]byte, error)
}

// Evolve compiles the rewriting of the values of a state that was written under schema was. The error says which operator,
// state and field cannot be read any more, and what to do.
func (s *Store) Evolve(was delta.Schema) (*Evolution, error) {
	name, _, _ := strings.Cut(was.State, "/") // without the part that a handle adds
	t := s.byName[stateName{was.Operator, was.State}]
	if t == nil {
		return nil, fmt.Errorf("operator %q: state %q is not in the job", was.Operator, name)
	}
	e, err := t.evolve(was.Value)
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: %w; keep the type it has, and add a field with a name of its own for the new one", was.Operator, name, err)
	}
	return e, nil
}

// wrapper is a value that a handle puts around the user's, as its field Value.
type wrapper interface{ wraps() }

var wrapperType = reflect.TypeFor[wrapper]()

func (timed[V]) wraps()        {}
func (mapEntry[MK, V]) wraps() {}

func (c *core) evolve(writer string) (*Evolution, error) {
	values := c.shape.values
	if values == nil {
		return nil, errors.New("its values are of one schema only")
	}
	wrapped := c.shape.value.Implements(wrapperType)
	r, err := values.Resolve(writer)
	if err != nil {
		return nil, unwrapMismatch(err, wrapped)
	}
	return &Evolution{Added: unwrapPaths(r.Added, wrapped), Dropped: unwrapPaths(r.Dropped, wrapped), Rewrite: func(dst, value []byte) ([]byte, error) {
		v := reflect.New(c.shape.value).UnsafePointer() // Rewrite is called from any goroutine
		rest, err := r.Decode(value, v)
		if err := whole("value of an older version", rest, err); err != nil {
			return nil, err
		}
		return values.Append(dst, v), nil
	}}, nil
}

func (t *paged) evolve(writer string) (*Evolution, error) { return t.hot.evolve(writer) }

// unwrapMismatch makes the path one of the user's type.
func unwrapMismatch(err error, wrapped bool) error {
	var m *codec.Mismatch
	if !wrapped || !errors.As(err, &m) {
		return err
	}
	own := *m
	own.Field = unwrapPath(m.Field)
	return &own
}

func unwrapPaths(paths []string, wrapped bool) []string {
	for i := range paths {
		if wrapped {
			paths[i] = unwrapPath(paths[i])
		}
	}
	return paths
}

func unwrapPath(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "Value"), ".")
}
