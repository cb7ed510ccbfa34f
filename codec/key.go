package codec

import (
	"fmt"
	"reflect"
)

// KeyForm says how keys are compared for equality.
type KeyForm uint8

const (
	KeyString KeyForm = iota // one string
	KeyPlain                 // no pointers: == is right and cheap
	KeyBytes                 // compare the canonical bytes
)

// Key is how keys of K are hashed, ordered and written. It is immutable and safe for use by several goroutines.
type Key[K comparable] struct {
	// Hash spreads keys over 64 bits: the low bits choose the key group, the high ones the place in a table. It is the same in
	// every process and version, since key groups are in checkpoints, and does not allocate.
	Hash func(K) uint64
}

// KeyOf chooses, once, how keys of K are handled.
func KeyOf[K comparable]() (*Key[K], error) {
	return nil, fmt.Errorf("%s cannot be a key", reflect.TypeFor[K]())
}

// Append appends the canonical bytes of v.
func (k *Key[K]) Append(dst []byte, v K) []byte { return dst }

// Decode reads all of src, as written by Append.
func (k *Key[K]) Decode(src []byte) (K, error) { var v K; return v, ErrDamaged }

// Schema is the Avro schema of the canonical bytes.
func (k *Key[K]) Schema() string { return "" }

// Form says how to compare keys for equality.
func (k *Key[K]) Form() KeyForm { return KeyPlain }

// Compare orders keys.
func (k *Key[K]) Compare(a, b K) int { return 0 }
