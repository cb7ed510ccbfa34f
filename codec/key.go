package codec

import (
	"reflect"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// KeyForm says how keys are told apart.
type KeyForm uint8

const (
	// KeyString is one string: the canonical bytes are the string's own.
	KeyString KeyForm = iota
	// KeyPlain has no pointers, and == on the Go type is right and cheap.
	KeyPlain
	// KeyBytes has strings, times or fields that are left out: compare the canonical bytes.
	KeyBytes
)

// Key is how keys of K are hashed, ordered and written. It is immutable and safe for use by several goroutines.
//
// Codecs given to Register do not apply inside keys.
type Key[K comparable] struct {
	// Hash spreads keys over 64 bits: the low bits choose the key group, the high ones the place in a table. It is the same in
	// every process and every version, since key groups are in checkpoints. It does not allocate. It does not resist keys
	// chosen to collide.
	Hash func(K) uint64

	node  *node
	parts []part
	form  KeyForm
}

// KeyOf chooses, once, when a plan is built, how keys of K are handled. K is a string, an integer, a bool, an array of bytes,
// a time.Time (which counts as its instant) or a struct of these; an error names the field that is not.
func KeyOf[K comparable]() (*Key[K], error) {
	t := reflect.TypeFor[K]()
	shape := keyShape{root: rootPath(t)}
	if err := shape.walk(t, shape.root, 0); err != nil {
		return nil, err
	}
	d := newDeriver(t)
	d.plain = true
	n, err := d.derive(t, d.root)
	if err != nil {
		return nil, err
	}
	return &Key[K]{Hash: hashOf[K](t, shape.parts), node: n, parts: shape.parts, form: formOf(t, shape)}, nil
}

func formOf(t reflect.Type, shape keyShape) KeyForm {
	switch {
	case t.Kind() == reflect.String:
		return KeyString
	case shape.strings || shape.skipped:
		return KeyBytes
	}
	return KeyPlain
}

// hashOf chooses the hash of K, so that a call pays for one closure and no reflection.
func hashOf[K comparable](t reflect.Type, parts []part) func(K) uint64 {
	if t.Kind() == reflect.Struct && t != timeType {
		return func(k K) uint64 { return hashParts(parts, noescape(unsafe.Pointer(&k))) }
	}
	f := parts[0]
	switch {
	case f.kind == partString:
		return func(k K) uint64 { return xxhash.Sum64String(*(*string)(noescape(unsafe.Pointer(&k)))) } // f.word without the call
	case f.kind == partArray:
		return func(k K) uint64 { return f.word(noescape(unsafe.Pointer(&k))) }
	case f.size == 8:
		return func(k K) uint64 { return mix(*(*uint64)(noescape(unsafe.Pointer(&k)))) }
	}
	return func(k K) uint64 { return mix(f.word(noescape(unsafe.Pointer(&k)))) }
}

// Append appends the canonical bytes of v, which differ if and only if the keys do: those of a string alone are its own, all
// others are the encoding that Derive gives.
func (k *Key[K]) Append(dst []byte, v K) []byte {
	if k.form == KeyString {
		return append(dst, *(*string)(noescape(unsafe.Pointer(&v)))...)
	}
	return k.node.append(dst, noescape(unsafe.Pointer(&v)))
}

// Decode reads all of src, as written by Append. Errors wrap ErrDamaged.
func (k *Key[K]) Decode(src []byte) (v K, err error) {
	p := noescape(unsafe.Pointer(&v))
	if k.form == KeyString {
		*(*string)(p) = string(src)
		return v, nil
	}
	rest, err := k.node.decode(src, p)
	if err == nil && len(rest) > 0 {
		err = damaged("key has %d bytes too many", len(rest))
	}
	return v, err
}

// Schema is the Avro schema of the key as JSON. A string alone is written without the length that Avro puts before it.
func (k *Key[K]) Schema() string { return k.node.schema.render() }

// Form says how to tell keys apart.
func (k *Key[K]) Form() KeyForm { return k.form }

// Compare orders keys: by their fields from the first to the last, numbers and times by size, false before true, strings and
// arrays by bytes. It is 0 exactly if the canonical bytes are equal.
func (k *Key[K]) Compare(a, b K) int {
	return compareParts(k.parts, noescape(unsafe.Pointer(&a)), noescape(unsafe.Pointer(&b)))
}
