package state

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/millrace-io/millrace/codec"
)

// Numbered is the key of a table with several entries for each key of the operator, told apart by a number: the slices of a
// window, for instance. Entries of one key are in one key group and nothing else is near to each other.
type Numbered[K comparable] struct {
	Key    K
	Number int64
}

// NewNumbered makes the state name of operator, as NewTable does, with keys that have a number. Its hashes are those of Hash.
func NewNumbered[K comparable, V any](s *Store, operator, name string) (*Table[Numbered[K], V], error) {
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: key: %w", operator, name, err)
	}
	values, err := codec.Derive[V]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: value: %w", operator, name, err)
	}
	if err := checkName(operator, name); err != nil {
		return nil, err
	}
	return newTable(s, operator, name, numberedKeying(keys), values)
}

// Hash is the hash of an entry's key, given that of the operator's key: the low half, which names the key group, is the same; the
// high half, which is the place in the table, is made out of both.
func (n Numbered[K]) Hash(key uint64) uint64 { return numberedHash(key, n.Number) }

func numberedHash(key uint64, number int64) uint64 {
	hi, lo := bits.Mul64(key^0x9e3779b97f4a7c15, uint64(number)^key>>32^0xd6e8feb86659fd93)
	return (hi^lo)&^0xffffffff | key&0xffffffff
}

// numberedKeying writes a key's canonical bytes, then the number, zigzag and little-endian in as few bytes as it takes, then how many
// those are: short keys with a number still stand in their entries.
func numberedKeying[K comparable](outer keying[K]) keying[Numbered[K]] {
	return keying[Numbered[K]]{
		form:   codec.KeyBytes,
		inline: true,
		schema: `{"name":"Numbered","type":"record","fields":[{"name":"key","type":` + outer.schema + `},{"name":"number","type":"long"}]}`,
		hash:   func(k Numbered[K]) uint64 { return numberedHash(outer.hash(k.Key), k.Number) },
		append: func(dst []byte, k Numbered[K]) []byte {
			z := uint64(k.Number)<<1 ^ uint64(k.Number>>63)
			n := (bits.Len64(z) + 7) / 8
			dst = binary.LittleEndian.AppendUint64(outer.append(dst, k.Key), z)
			return append(dst[:len(dst)-8+n], byte(n))
		},
		decode: func(src []byte) (k Numbered[K], err error) {
			n := 0
			if len(src) > 0 {
				n = int(src[len(src)-1])
			}
			if n > 8 || len(src) < n+1 {
				return k, fmt.Errorf("numbered key of %d bytes: %w", len(src), codec.ErrDamaged)
			}
			var z [8]byte
			at := len(src) - 1 - n
			copy(z[:], src[at:at+n])
			u := binary.LittleEndian.Uint64(z[:])
			k.Number = int64(u>>1) ^ -int64(u&1)
			k.Key, err = outer.decode(src[:at])
			return k, err
		},
		compare: func(a, b Numbered[K]) int {
			if c := outer.compare(a.Key, b.Key); c != 0 {
				return c
			}
			switch {
			case a.Number < b.Number:
				return -1
			case a.Number > b.Number:
				return 1
			}
			return 0
		},
	}
}

// AfterRestore lets an operator rebuild what it derives from its tables: f is called when all states are back. It may read and
// scan them.
func (s *Store) AfterRestore(f func() error) { s.restores = append(s.restores, f) }
