package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// part is one scalar of a key.
type part struct {
	offset uintptr
	kind   partKind
	size   uintptr // in bytes, of the kinds signed, unsigned and array
}

type partKind uint8

const (
	partString partKind = iota
	partSigned
	partUnsigned // and bool
	partArray    // of bytes
	partTime
)

// keyAdvice ends the errors about types that cannot be part of a key.
const keyAdvice = "use strings, integers, bools, byte arrays, times and structs of these"

// keyShape is what keyParts finds out about a key type.
type keyShape struct {
	root    string // the path of the key itself
	parts   []part
	strings bool // a part is a string or a time: not pointer-free
	skipped bool // a field is left out of the encoding: == says more than the encoding
	inMap   bool // of a map's key, which must not have a registered codec anywhere
}

// in starts an error about what is at path.
func (s *keyShape) in(path string) string {
	if path == s.root {
		return ""
	}
	return "key " + path + ": "
}

// walk adds the parts of t, found at path, offset bytes into the key.
func (s *keyShape) walk(t reflect.Type, path string, offset uintptr) error {
	if s.inMap && registered(t) != nil {
		return fmt.Errorf("%s%s has a registered codec, which cannot be part of a map's key; make the map a slice", s.in(path), t)
	}
	if t == timeType {
		s.strings = true
		s.parts = append(s.parts, part{offset: offset, kind: partTime})
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		s.strings = true
		s.parts = append(s.parts, part{offset: offset, kind: partString})
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.parts = append(s.parts, part{offset, partSigned, t.Size()})
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Bool:
		s.parts = append(s.parts, part{offset, partUnsigned, t.Size()})
	case reflect.Struct:
		return s.walkStruct(t, path, offset)
	case reflect.Array:
		if t.Elem().Kind() != reflect.Uint8 {
			return fmt.Errorf("%s%s cannot be part of a key; %s", s.in(path), t, keyAdvice)
		}
		s.parts = append(s.parts, part{offset, partArray, t.Size()})
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s%s cannot be part of a key, since NaN is not equal to itself; round it to an integer or format it", s.in(path), t)
	default:
		return fmt.Errorf("%s%s cannot be part of a key; %s", s.in(path), t, keyAdvice)
	}
	return nil
}

func (s *keyShape) walkStruct(t reflect.Type, path string, offset uintptr) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if fieldName(f) == "" {
			s.skipped = s.skipped || f.Name != "_"
			continue
		}
		if err := s.walk(f.Type, path+"."+f.Name, offset+f.Offset); err != nil {
			return err
		}
	}
	return nil
}

// mapKeyParts are the parts of a map's key. Keys that differ must have different encodings, so a time (== is not that of
// instants) or a field that is left out is refused.
func mapKeyParts(t reflect.Type, path string) ([]part, error) {
	s := keyShape{inMap: true}
	if err := s.walk(t, path, 0); err != nil {
		return nil, err
	}
	if s.skipped {
		return nil, fmt.Errorf("%s%s has a field that is left out, so that different keys would be one", s.in(path), t)
	}
	for _, p := range s.parts {
		if p.kind == partTime {
			return nil, fmt.Errorf("key %s: time.Time cannot be part of a map's key, since equal instants can be different keys; use its UnixNano", path)
		}
	}
	return s.parts, nil
}

// number is a part of kind signed or unsigned as 64 bits, extended by its sign if it has one: so an integer hashes the same
// when its type is made wider.
func (f *part) number(p unsafe.Pointer) uint64 {
	p = unsafe.Add(p, f.offset)
	if f.kind == partSigned {
		switch f.size {
		case 1:
			return uint64(*(*int8)(p))
		case 2:
			return uint64(*(*int16)(p))
		case 4:
			return uint64(*(*int32)(p))
		}
		return *(*uint64)(p)
	}
	switch f.size {
	case 1:
		return uint64(*(*uint8)(p))
	case 2:
		return uint64(*(*uint16)(p))
	case 4:
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

func (f *part) text(p unsafe.Pointer) string    { return *(*string)(unsafe.Add(p, f.offset)) }
func (f *part) time(p unsafe.Pointer) time.Time { return *(*time.Time)(unsafe.Add(p, f.offset)) }

func (f *part) bytes(p unsafe.Pointer) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, f.offset)), f.size)
}

// compareParts orders two keys by their parts, the first one first: numbers and times by size, the rest by bytes.
func compareParts(parts []part, a, b unsafe.Pointer) int {
	for i := range parts {
		if c := parts[i].compare(a, b); c != 0 {
			return c
		}
	}
	return 0
}

func (f *part) compare(a, b unsafe.Pointer) int {
	switch f.kind {
	case partString:
		return strings.Compare(f.text(a), f.text(b))
	case partSigned:
		return cmp.Compare(int64(f.number(a)), int64(f.number(b)))
	case partUnsigned:
		return cmp.Compare(f.number(a), f.number(b))
	case partTime:
		return compareTimes(f.time(a), f.time(b))
	}
	return bytes.Compare(f.bytes(a), f.bytes(b))
}

// hashParts chains the parts' hashes. Every part enters as one word of 64 bits, so neighbouring strings cannot trade bytes.
func hashParts(parts []part, p unsafe.Pointer) uint64 {
	h := uint64(len(parts))
	for i := range parts {
		h = mix(h + parts[i].word(p))
	}
	return h
}

func (f *part) word(p unsafe.Pointer) uint64 {
	switch f.kind {
	case partString:
		return xxhash.Sum64String(f.text(p))
	case partTime:
		return timeWord(f.time(p))
	case partArray:
		return xxhash.Sum64(f.bytes(p))
	}
	return f.number(p)
}

// mix spreads x over 64 bits, one to one: the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
