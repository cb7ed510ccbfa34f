package state

import "fmt"

// cells is a table without types, in one of two forms.
type cells struct {
	mem    *core  // in memory
	stored *paged // in front of a byte store
}

func (s *Store) newCells(operator, name string, keys keyBytes, sh shape) (cells, error) {
	if s.byName[stateName{operator, name}] != nil {
		return cells{}, fmt.Errorf("operator %q: state name %q used twice", operator, name)
	}
	if s.o.Bytes == nil {
		c := newCore(s, operator, name, keys, sh)
		s.add(c)
		return cells{mem: c}, nil
	}
	p, err := newPaged(s, operator, name, keys, sh)
	if err != nil {
		return cells{}, fmt.Errorf("operator %q: state %q: open byte store: %w", operator, name, err)
	}
	s.add(p)
	return cells{stored: p}, nil
}

func (c cells) len() int {
	if c.mem == nil {
		return c.stored.total
	}
	return c.mem.n
}

func (c cells) expire(x expiry, hook func(key string)) {
	if c.mem == nil {
		c.stored.expire(x, hook)
		return
	}
	c.mem.expire(x, hook)
}

// describe names the table in errors.
func (c cells) describe() string {
	in := c.mem
	if in == nil {
		in = c.stored.hot
	}
	return fmt.Sprintf("operator %q: state %q", in.operator, in.name)
}
