package state

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
)

// Table is one named state of an operator: one value per key. hash is the key's codec.Key hash, as the record carries it; its
// key group must be one of the store's. Errors of a byte store and values that cannot be decoded panic with a Failure.
//
// It is a face with types for what has none: see shape.
type Table[K comparable, V any] struct {
	in      cells
	keys    keying[K]
	scratch []byte // the canonical bytes of a key that is no string
}

// NewTable makes the state name of operator. It is an error if the operator has a state of that name, or if K cannot be a key
// or V cannot be encoded. Tables are made before the first record, and before a restore.
func NewTable[K comparable, V any](s *Store, operator, name string) (*Table[K, V], error) {
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
	return newTable(s, operator, name, keys, values)
}

func newTable[K comparable, V any](s *Store, operator, name string, keys keying[K], values *codec.Encoding[V]) (*Table[K, V], error) {
	in, err := s.newCells(operator, name, keys.untyped(), shapeOf[V](values.Untyped()))
	if err != nil {
		return nil, err
	}
	return &Table[K, V]{in: in, keys: keys}, nil
}

// canonical is the canonical bytes of a key, good until the next call. A string K has the memory of a string, so no key is
// copied to be looked up.
func (t *Table[K, V]) canonical(k K) string {
	if t.keys.form == codec.KeyString {
		return asString(k)
	}
	t.scratch = t.keys.append(t.scratch[:0], k)
	return stringOf(t.scratch)
}

// At is the value of key for writing, zero when new. It marks the entry as changed. The pointer is good until the next
// call on this table.
func (t *Table[K, V]) At(hash uint64, key K) *V {
	if t.in.mem == nil {
		v, _ := t.in.stored.at(hash, t.canonical(key))
		return (*V)(v)
	}
	if t.keys.word {
		return (*V)(t.in.mem.at(hash, wordKey(wordOf(key)), ""))
	}
	k := t.canonical(key)
	return (*V)(t.in.mem.at(hash, t.in.mem.wanted(hash, k), k))
}

// AtNew is At that also says whether the entry was made by this call.
func (t *Table[K, V]) AtNew(hash uint64, key K) (v *V, fresh bool) {
	n := t.Len()
	v = t.At(hash, key)
	return v, t.Len() != n
}

// Edit is At of a key that has an entry; false when it has none, which is not made.
func (t *Table[K, V]) Edit(hash uint64, key K) (*V, bool) {
	var v unsafe.Pointer
	switch {
	case t.in.mem == nil:
		v = t.in.stored.edit(hash, t.canonical(key))
	case t.keys.word:
		v = t.in.mem.edit(hash, wordKey(wordOf(key)), "")
	default:
		k := t.canonical(key)
		v = t.in.mem.edit(hash, t.in.mem.wanted(hash, k), k)
	}
	return (*V)(v), v != nil
}

// Get is the value of key for reading. The pointer is good until the next call on this table and must not be written.
func (t *Table[K, V]) Get(hash uint64, key K) (*V, bool) {
	var v unsafe.Pointer
	switch {
	case t.in.mem == nil:
		v = t.in.stored.get(hash, t.canonical(key))
	case t.keys.word:
		v = t.in.mem.get(hash, wordKey(wordOf(key)), "")
	default:
		k := t.canonical(key)
		v = t.in.mem.get(hash, t.in.mem.wanted(hash, k), k)
	}
	return (*V)(v), v != nil
}

// Delete removes the entry of key and says whether there was one.
func (t *Table[K, V]) Delete(hash uint64, key K) bool {
	if t.in.mem == nil {
		return t.in.stored.delete(hash, t.canonical(key))
	}
	if t.keys.word {
		return t.in.mem.delete(hash, wordKey(wordOf(key)), "")
	}
	k := t.canonical(key)
	return t.in.mem.delete(hash, t.in.mem.wanted(hash, k), k)
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.in.len() }

// Scan calls f with at most n further entries, group by group, and says whether there may be more. A zero cursor starts;
// the same cursor goes on. Entries that are not changed between the first and the last call are seen exactly once;
// others may be missed or seen again. v is read only and good during f; f must not call the table. A key may be kept.
func (t *Table[K, V]) Scan(cursor *Cursor, n int, f func(key K, v *V)) (more bool) {
	if t.in.mem == nil {
		return t.in.stored.scan(cursor, n, func(key []byte, v unsafe.Pointer) { f(t.decode(key), (*V)(v)) })
	}
	return t.in.mem.scan(cursor, n, func(p *part, e *entry) { f(t.key(p, e.key), (*V)(e.value())) })
}

// key is the key that an entry stands for. Bytes in the arena are never overwritten, so a string may view them.
func (t *Table[K, V]) key(p *part, key arenaKey) K {
	switch {
	case t.keys.word:
		return fromWord[K](key.lo)
	case key.far() && t.keys.form == codec.KeyString:
		return asKey[K](p.ar.get(key.ref()))
	}
	if key.far() {
		return t.decode(bytesOf(p.ar.get(key.ref())))
	}
	t.scratch = key.bytes(nil, t.scratch[:0])
	return t.decode(t.scratch)
}

// decode is the key with these canonical bytes, which it copies.
func (t *Table[K, V]) decode(canonical []byte) K {
	k, err := t.keys.decode(canonical)
	if err != nil {
		fail("%s: key in memory: %w", t.in.describe(), err)
	}
	return k
}

// expire gives the values a time to live. hook removes an expired entry, by its canonical bytes, with all that belongs to it;
// nil: Delete. It is no method, which would be compiled for every table.
func expire[K comparable, V any](t *Table[K, V], ttl time.Duration, instant func(v *V) int64, hook func(key string)) {
	t.in.expire(expiry{ttl: ttl, instant: func(v unsafe.Pointer) int64 { return instant((*V)(v)) }}, hook)
}

// Cursor is a place in a Scan. The zero Cursor is before the first entry.
type Cursor struct {
	group int    // offset in the store's range
	pos   uint32 // in memory: the next position
	begun bool   // in a byte store: the group's entries were written back
	after []byte // in a byte store: the last key seen, nil at the start of a group
}

// At is the current key of an operator's handles. The operator sets it before it calls user code.
type At[K comparable] struct {
	Hash uint64
	Key  K
}
