package state

import (
	"reflect"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
)

// keying is how keys of K are handled: those of users by their codec.Key, those of list elements, map entries and timers by
// their own functions over bytes.
type keying[K comparable] struct {
	form     codec.KeyForm
	schema   string
	hash     func(K) uint64
	append   func(dst []byte, k K) []byte
	decode   func(src []byte) (K, error)
	compare  func(a, b K) int
	inline   bool // short keys stand in their entries; not where code looks for key bytes in the arena
	word     bool // keys are numbers of at most eight bytes, which stand in their entries as such
	byRecord bool // the hash of a record finds its key: not where keys have a part of their own
}

func keyingOf[K comparable]() (keying[K], error) {
	k, err := codec.KeyOf[K]()
	if err != nil {
		return keying[K]{}, err
	}
	return keying[K]{
		form: k.Form(), schema: k.Schema(), inline: true, word: isWord[K](), byRecord: true,
		hash: k.Hash, append: k.Append, decode: k.Decode, compare: k.Compare,
	}, nil
}

// hashBytes is the hash of the key whose canonical bytes are b. Strings are hashed in place.
func (k *keying[K]) hashBytes(b []byte) (uint64, error) {
	if k.form == codec.KeyString {
		return k.hash(asKey[K](stringOf(b))), nil
	}
	v, err := k.decode(b)
	if err != nil {
		return 0, err
	}
	return k.hash(v), nil
}

// keyBytes is a keying without its type: how a table handles its keys.
type keyBytes struct {
	schema   string
	inline   bool
	word     bool
	byRecord bool
	hash     func(canonical []byte) (uint64, error)

	// Of numbers.
	appendWord func(dst []byte, w uint64) []byte
	parseWord  func(canonical []byte) (uint64, error)
	hashWord   func(w uint64) uint64
}

// untyped is the keying without its type.
func (k keying[K]) untyped() keyBytes {
	b := keyBytes{schema: k.schema, inline: k.inline, word: k.word, byRecord: k.byRecord, hash: k.hashBytes}
	if k.word {
		b.appendWord = func(dst []byte, w uint64) []byte { return k.append(dst, fromWord[K](w)) }
		b.hashWord = func(w uint64) uint64 { return k.hash(fromWord[K](w)) }
		b.parseWord = func(canonical []byte) (uint64, error) {
			v, err := k.decode(canonical)
			return wordOf(v), err
		}
	}
	return b
}

// isWord says whether a K is an integer or a bool.
func isWord[K comparable]() bool {
	kind := reflect.TypeFor[K]().Kind()
	return reflect.Bool <= kind && kind <= reflect.Uintptr
}

// wordOf is an integer or a bool as a number. Equal keys are equal numbers.
func wordOf[K comparable](k K) uint64 {
	p := unsafe.Pointer(&k)
	switch unsafe.Sizeof(k) {
	case 8:
		return *(*uint64)(p)
	case 4:
		return uint64(*(*uint32)(p))
	case 2:
		return uint64(*(*uint16)(p))
	}
	return uint64(*(*uint8)(p))
}

// fromWord undoes wordOf.
func fromWord[K comparable](w uint64) (k K) {
	p := unsafe.Pointer(&k)
	switch unsafe.Sizeof(k) {
	case 8:
		*(*uint64)(p) = w
	case 4:
		*(*uint32)(p) = uint32(w)
	case 2:
		*(*uint16)(p) = uint16(w)
	default:
		*(*uint8)(p) = uint8(w)
	}
	return k
}

// asKey views a string as a key of the same kind. K must be a string type.
func asKey[K comparable](s string) K { return *(*K)(unsafe.Pointer(&s)) }

// asString views a key as the string that it is. K must be a string type.
func asString[K comparable](k K) string { return *(*string)(unsafe.Pointer(&k)) }
