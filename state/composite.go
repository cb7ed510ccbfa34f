package state

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/codec"
)

// A composite key is the canonical bytes of the operator's key and a part of its own: the number of a list element, the map's
// key, the time of a timer. Both are written with their length before them, as Avro writes bytes.

// appendComposite appends the composite key of the two.
func appendComposite(dst, outer, inner []byte) []byte {
	dst = append(binary.AppendVarint(dst, int64(len(outer))), outer...)
	return append(binary.AppendVarint(dst, int64(len(inner))), inner...)
}

// splitComposite undoes appendComposite. The slices alias src.
func splitComposite(src []byte) (outer, inner []byte, err error) {
	outer, rest, ok := cutSized(src)
	if ok {
		inner, rest, ok = cutSized(rest)
	}
	if !ok || len(rest) > 0 {
		return nil, nil, fmt.Errorf("composite key of %d bytes: %w", len(src), codec.ErrDamaged)
	}
	return outer, inner, nil
}

func cutSized(src []byte) (b, rest []byte, ok bool) {
	n, w := binary.Varint(src)
	if w <= 0 || n < 0 || n > int64(len(src)-w) {
		return nil, nil, false
	}
	src = src[w:]
	return src[:n:n], src[n:], true
}

// hashOfBytes is codec's hash of a string key.
var hashOfBytes = func() func(string) uint64 {
	k, err := codec.KeyOf[string]()
	if err != nil {
		panic(err) // strings are keys
	}
	return k.Hash
}()

// compositeHash keeps the low half of the outer key's hash, which names the key group, and makes the high half, which is the
// place in the table, out of both.
func compositeHash(outer uint64, inner []byte) uint64 {
	x := (outer ^ hashOfBytes(stringOf(inner))) * 0x9e3779b97f4a7c15
	return x&^0xffffffff | outer&0xffffffff
}

func compositeSchema(name, outer, part, inner string) string {
	return `{"name":"` + name + `","type":"record","fields":[{"name":"key","type":{"type":"bytes","of":` + outer +
		`}},{"name":"` + part + `","type":{"type":"bytes","of":` + inner + `}}]}`
}

// compositeKeying handles composite keys as strings of bytes.
func compositeKeying[K comparable](outer keying[K], name, part, inner string) keying[string] {
	return keying[string]{
		form:   codec.KeyString,
		schema: compositeSchema(name, outer.schema, part, inner),
		hash: func(s string) uint64 { // of bytes that were checked when they came in
			h, err := hashComposite(&outer, bytesOf(s))
			if err != nil {
				panic(Failure{err})
			}
			return h
		},
		append: func(dst []byte, s string) []byte { return append(dst, s...) },
		decode: func(src []byte) (string, error) { return string(src), nil },
	}
}

func hashComposite[K comparable](outer *keying[K], key []byte) (uint64, error) {
	k, inner, err := splitComposite(key)
	if err != nil {
		return 0, err
	}
	h, err := outer.hashBytes(k)
	if err != nil {
		return 0, fmt.Errorf("key in a composite key: %w", err)
	}
	return compositeHash(h, inner), nil
}
