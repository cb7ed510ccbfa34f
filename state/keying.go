package state

import (
	"github.com/millrace-io/millrace/codec"
)

// keying is how a table handles its keys: those of users by their codec.Key, those of list elements, map entries and timers
// by their own functions over bytes.
type keying[K comparable] struct {
	form     codec.KeyForm
	schema   string
	hash     func(K) uint64
	append   func(dst []byte, k K) []byte
	decode   func(src []byte) (K, error)
	compare  func(a, b K) int
	inline   bool // short keys stand in their entries; not where code looks for key bytes in the arena
	byRecord bool // the hash of a record finds its key: not where keys have a part of their own
}

func keyingOf[K comparable]() (keying[K], error) {
	k, err := codec.KeyOf[K]()
	if err != nil {
		return keying[K]{}, err
	}
	return keying[K]{
		form: k.Form(), schema: k.Schema(), inline: k.Form() == codec.KeyString, byRecord: true,
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

// valuing is how a table writes and reads its values; codec.Encoding is one.
type valuing[V any] interface {
	Append(dst []byte, v *V) []byte
	Decode(src []byte, v *V) (rest []byte, err error)
	Schema() string
	HasPointers() bool
}
