package state

import (
	"github.com/millrace-io/millrace/codec"
)

// keying is how a table handles its keys: those of users by their codec.Key, those of list elements, map entries and timers
// by their own functions over bytes.
type keying[K comparable] struct {
	form    codec.KeyForm
	schema  string
	hash    func(K) uint64
	append  func(dst []byte, k K) []byte
	decode  func(src []byte) (K, error)
	compare func(a, b K) int
	inline  bool // short keys stand in their entries; not where code looks for key bytes in the arena
}

func keyingOf[K comparable]() (keying[K], error) {
	k, err := codec.KeyOf[K]()
	if err != nil {
		return keying[K]{}, err
	}
	return keying[K]{k.Form(), k.Schema(), k.Hash, k.Append, k.Decode, k.Compare, k.Form() == codec.KeyString}, nil
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
