package codec

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unsafe"
)

// sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// slice compiles a slice: one block of all elements, then the empty block that ends an Avro array.
func (d *deriver) slice(t reflect.Type, path string) (*node, error) {
	elem, err := d.elem(t, path)
	if err != nil {
		return nil, err
	}
	size := t.Elem().Size()
	return &node{
		min:    1,
		schema: &schema{kind: "array", items: elem.schema},
		append: func(dst []byte, p unsafe.Pointer) []byte {
			s := (*sliceHeader)(p)
			return appendBlock(dst, s.data, s.len, size, elem)
		},
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			return decodeSlice(src, (*sliceHeader)(p), t, elem)
		},
	}, nil
}

// elem compiles the element of a slice or array. Elements that take no bytes are refused: a few hostile bytes could then
// claim any number of them.
func (d *deriver) elem(t reflect.Type, path string) (*node, error) {
	elem, err := d.derive(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	if elem.min == 0 {
		return nil, fmt.Errorf("%s%s has elements without content; keep a count instead", d.in(path), t)
	}
	return elem, nil
}

func appendBlock(dst []byte, data unsafe.Pointer, n int, size uintptr, elem *node) []byte {
	if n == 0 {
		return append(dst, 0)
	}
	dst = appendLong(dst, int64(n))
	for i := range n {
		dst = elem.append(dst, unsafe.Add(data, uintptr(i)*size))
	}
	return append(dst, 0)
}

// readCount reads the count of the next block, 0 at the end. It refuses counts of more elements of at least min bytes than
// src has room for, so that the caller can allocate.
func readCount(src []byte, min int) (n int, rest []byte, err error) {
	count, rest, err := readLong(src)
	if err != nil {
		return 0, nil, err
	}
	if count < 0 { // Avro's other form: the block's size in bytes follows
		if count == math.MinInt64 {
			return 0, nil, damaged("count is %d", count)
		}
		count = -count
		size, after, err := readLong(rest)
		if err != nil {
			return 0, nil, err
		}
		if size < 0 || size > int64(len(after)) {
			return 0, nil, damaged("block has %d bytes, but %d are left", size, len(after))
		}
		rest = after
	}
	if count > int64(len(rest)/min) {
		return 0, nil, damaged("count is %d, but %d bytes are left", count, len(rest))
	}
	return int(count), rest, nil
}

func decodeSlice(src []byte, s *sliceHeader, t reflect.Type, elem *node) ([]byte, error) {
	size := t.Elem().Size()
	for {
		n, rest, err := readCount(src, elem.min)
		if err != nil || n == 0 {
			return rest, err
		}
		s.grow(t, n)
		for range n {
			if rest, err = elem.decode(rest, unsafe.Add(s.data, uintptr(s.len)*size)); err != nil {
				return nil, inField(fmt.Sprintf("[%d]", s.len), err)
			}
			s.len++
		}
		src = rest
	}
}

// grow makes room for n more elements: exactly n for the first block, which is all that Append writes.
func (s *sliceHeader) grow(t reflect.Type, n int) {
	if s.len+n <= s.cap {
		return
	}
	room := s.len + n
	if s.len > 0 {
		room = max(room, 2*s.cap)
	}
	grown := reflect.MakeSlice(t, room, room)
	if s.len > 0 {
		reflect.Copy(grown, reflect.NewAt(t, unsafe.Pointer(&sliceHeader{s.data, s.len, s.cap})).Elem())
	}
	s.data, s.cap = grown.UnsafePointer(), room
}

// array compiles an array of something else than bytes, as an Avro array of exactly so many elements.
func (d *deriver) array(t reflect.Type, path string) (*node, error) {
	elem, err := d.elem(t, path)
	if err != nil {
		return nil, err
	}
	n, size := t.Len(), t.Elem().Size()
	return &node{
		min:    1 + n*elem.min,
		schema: &schema{kind: "array", items: elem.schema, length: strconv.Itoa(n)},
		append: func(dst []byte, p unsafe.Pointer) []byte { return appendBlock(dst, p, n, size, elem) },
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) { return decodeArray(src, p, n, size, elem) },
	}, nil
}

func decodeArray(src []byte, p unsafe.Pointer, want int, size uintptr, elem *node) ([]byte, error) {
	have := 0
	for {
		n, rest, err := readCount(src, elem.min)
		switch {
		case err != nil:
			return nil, err
		case n == 0 && have == want:
			return rest, nil
		case n == 0 || n > want-have:
			return nil, damaged("array has %d elements or more, want %d", have+n, want)
		}
		for range n {
			if rest, err = elem.decode(rest, unsafe.Add(p, uintptr(have)*size)); err != nil {
				return nil, inField(fmt.Sprintf("[%d]", have), err)
			}
			have++
		}
		src = rest
	}
}

// fixed compiles an array of bytes.
func (d *deriver) fixed(t reflect.Type) *node {
	n := t.Len()
	name := t.Name()
	if name == "" {
		name = fmt.Sprintf("Bytes%d", n)
	}
	return &node{
		min:    n,
		schema: &schema{kind: "fixed", name: d.unique(name), size: n},
		append: func(dst []byte, p unsafe.Pointer) []byte { return append(dst, unsafe.Slice((*byte)(p), n)...) },
		decode: func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) < n {
				return nil, damaged("fixed has %d bytes, want %d", len(src), n)
			}
			copy(unsafe.Slice((*byte)(p), n), src)
			return src[n:], nil
		},
	}
}
