package codec

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"
)

// mapping is the compiled form of one map type. Entries are written in the order of their keys, so that equal maps have equal
// bytes. Keys of kind string make an Avro map, others an array of records; the bytes have the same shape.
type mapping struct {
	t         reflect.Type
	parts     []part // of the key
	key, elem *node
	scratch   sync.Pool // of *mapScratch
}

// mapScratch holds the entries of one map while they are put in order.
type mapScratch struct {
	m           reflect.Value // a variable of the map type, so that the map's address need not be kept
	iter        *reflect.MapIter
	keys, elems reflect.Value // slices
	order       []int
}

// scratchMax is the number of entries above which a scratch is not kept.
const scratchMax = 4096

func (d *deriver) mapping(t reflect.Type, path string) (*node, error) {
	parts, err := mapKeyParts(t.Key(), path+"[key]")
	if err != nil {
		return nil, err
	}
	m := &mapping{t: t, parts: parts}
	s := &schema{kind: "map"}
	if t.Key().Kind() != reflect.String {
		entry := &schema{kind: "record", name: d.unique(path + ".Entry")}
		s = &schema{kind: "array", logical: logicalMap, items: entry}
	}
	if m.key, err = d.derive(t.Key(), path+"[key]"); err != nil {
		return nil, err
	}
	if m.elem, err = d.derive(t.Elem(), path+"[value]"); err != nil {
		return nil, err
	}
	if m.key.min == 0 {
		return nil, fmt.Errorf("%s%s has keys without content", d.in(path), t)
	}
	if s.kind == "map" {
		s.items = m.elem.schema
	} else {
		s.items.fields = []member{{"key", m.key.schema}, {"value", m.elem.schema}}
	}
	m.scratch.New = m.newScratch
	return &node{min: 1, schema: s, append: m.append, decode: m.decode}, nil
}

func (m *mapping) newScratch() any {
	v := reflect.New(m.t).Elem()
	return &mapScratch{m: v, iter: v.MapRange(), keys: m.room(m.t.Key(), 0), elems: m.room(m.t.Elem(), 0)}
}

func (m *mapping) room(t reflect.Type, n int) reflect.Value {
	return reflect.MakeSlice(reflect.SliceOf(t), n, n)
}

func (m *mapping) append(dst []byte, p unsafe.Pointer) []byte {
	word := *(*unsafe.Pointer)(p)
	if word == nil {
		return append(dst, 0)
	}
	s := m.scratch.Get().(*mapScratch)
	*(*unsafe.Pointer)(s.m.Addr().UnsafePointer()) = word
	n := s.m.Len()
	if n == 0 {
		m.release(s)
		return append(dst, 0)
	}
	m.collect(s, n)
	dst = appendLong(dst, int64(n))
	keys, elems := s.keys.UnsafePointer(), s.elems.UnsafePointer()
	for _, i := range s.order {
		dst = m.key.append(dst, unsafe.Add(keys, uintptr(i)*m.t.Key().Size()))
		dst = m.elem.append(dst, unsafe.Add(elems, uintptr(i)*m.t.Elem().Size()))
	}
	m.release(s)
	return append(dst, 0)
}

// collect copies the entries into s and puts them in the order of their keys.
func (m *mapping) collect(s *mapScratch, n int) {
	if s.keys.Len() < n {
		s.keys, s.elems = m.room(m.t.Key(), 2*n), m.room(m.t.Elem(), 2*n)
	}
	s.order = s.order[:0]
	s.iter.Reset(s.m)
	for s.iter.Next() {
		i := len(s.order)
		s.keys.Index(i).SetIterKey(s.iter)
		s.elems.Index(i).SetIterValue(s.iter)
		s.order = append(s.order, i)
	}
	keys, size := s.keys.UnsafePointer(), m.t.Key().Size()
	slices.SortFunc(s.order, func(a, b int) int {
		return compareParts(m.parts, unsafe.Add(keys, uintptr(a)*size), unsafe.Add(keys, uintptr(b)*size))
	})
}

// release forgets the entries, so that they can be collected, and keeps the room.
func (m *mapping) release(s *mapScratch) {
	if s.keys.Len() > scratchMax {
		return
	}
	s.m.SetZero()
	s.iter.Reset(reflect.Value{})
	n := len(s.order)
	s.keys.Slice(0, n).Clear()
	s.elems.Slice(0, n).Clear()
	s.order = s.order[:0]
	m.scratch.Put(s)
}

func (m *mapping) decode(src []byte, p unsafe.Pointer) ([]byte, error) {
	var v reflect.Value
	total := 0
	for {
		n, rest, err := readCount(src, m.key.min+m.elem.min)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if total > 0 && v.Len() != total {
				return nil, damaged("map of %d entries has %d different keys", total, v.Len())
			}
			return rest, nil
		}
		if total == 0 {
			v = reflect.MakeMapWithSize(m.t, n)
			*(*unsafe.Pointer)(p) = v.UnsafePointer()
		}
		if src, err = m.decodeBlock(rest, v, n); err != nil {
			return nil, err
		}
		total += n
	}
}

func (m *mapping) decodeBlock(src []byte, v reflect.Value, n int) (_ []byte, err error) {
	key, elem := reflect.New(m.t.Key()).Elem(), reflect.New(m.t.Elem()).Elem()
	for range n {
		key.SetZero()
		elem.SetZero()
		if src, err = m.key.decode(src, key.Addr().UnsafePointer()); err != nil {
			return nil, inField("[key]", err)
		}
		if src, err = m.elem.decode(src, elem.Addr().UnsafePointer()); err != nil {
			return nil, inField("[value]", err)
		}
		v.SetMapIndex(key, elem)
	}
	return src, nil
}
