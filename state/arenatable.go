package state

import (
	"fmt"
	"unsafe"

	"github.com/millrace-io/millrace/flow"
)

// arenaTable is the table of keys that are bytes, kept in an arena for each part.
type arenaTable[V any] struct {
	core[uint64, V]
	keyBytes int64 // of the living keys
}

// initArena prepares the table in place, because its core keeps functions of it.
func (t *arenaTable[V]) initArena(s *Store, operator, name, keySchema string, hashBytes func([]byte) (uint64, error), values valuing[V]) {
	t.init(s, operator, name, values, keySchema)
	t.keyOf = func(p *part[uint64, V], ref uint64, _ []byte) []byte { return bytesOf(p.ar.get(ref)) }
	t.hashOf = func(p *part[uint64, V], ref uint64) uint64 {
		h, err := hashBytes(bytesOf(p.ar.get(ref)))
		if err != nil { // these bytes were made by Append or have been decoded at restore
			fail("operator %q: state %q: key in memory: %w", operator, name, err)
		}
		return h
	}
	t.dropped = t.drop
}

func (t *arenaTable[V]) at(h uint64, k string) *V {
	g := t.partOf(h)
	p := &t.parts[g]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			_, e := t.insert(g, i, h, t.keep(p, k))
			return &e.val
		}
		if s>>32 == h>>32 {
			if e := p.sl.at(uint32(s) - 1); p.ar.get(e.key) == k {
				if e.epoch != t.epoch {
					t.firstWrite(g, uint32(s)-1, e)
				}
				return &e.val
			}
		}
	}
}

// find is the slot of k and its position, or the empty slot where the search ended.
func (t *arenaTable[V]) find(g int, h uint64, k string) (slot uint64, pos uint32, ok bool) {
	p := &t.parts[g]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			return i, 0, false
		}
		if s>>32 == h>>32 && p.ar.get(p.sl.at(uint32(s)-1).key) == k {
			return i, uint32(s) - 1, true
		}
	}
}

func (t *arenaTable[V]) get(h uint64, k string) (*V, bool) {
	g := t.partOf(h)
	_, pos, ok := t.find(g, h, k)
	if !ok {
		return nil, false
	}
	return t.read(g, pos), true
}

func (t *arenaTable[V]) deleteKey(h uint64, k string) bool {
	g := t.partOf(h)
	i, pos, ok := t.find(g, h, k)
	if ok {
		t.remove(g, i, pos)
	}
	return ok
}

// keep copies a new key into the arena.
func (t *arenaTable[V]) keep(p *part[uint64, V], k string) uint64 {
	if len(k) > keyLenMax {
		fail("operator %q: state %q: key of %d bytes, want at most %d", t.operator, t.name, len(k), keyLenMax)
	}
	t.keyBytes += int64(len(k))
	return p.ar.put(k)
}

// drop lets go of a removed entry's key. When most of the arena is dead, the living keys move into a new one; the old bytes
// stay as they are for whoever still views them.
func (t *arenaTable[V]) drop(p *part[uint64, V], ref uint64) {
	t.keyBytes -= int64(ref & keyLenMax)
	if !p.ar.drop(ref) {
		return
	}
	old := p.ar
	p.ar = old.empty()
	for pos := range p.sl.n {
		if e := p.sl.at(pos); e.marks&(markLive|markHeld) != 0 {
			e.key = p.ar.put(old.get(e.key))
		}
	}
}

// restoreBytes applies a block.
func (t *arenaTable[V]) restoreBytes(group flow.KeyGroup, count int, data []byte, hashBytes func([]byte) (uint64, error)) error {
	g := int(group) - t.lo
	t.reserve(g, min(count, len(data)/2))
	return eachEntry(data, func(key, value []byte, deleted bool) error {
		h, err := t.hashRestored(group, key, hashBytes)
		if err != nil {
			return err
		}
		p, k := &t.parts[g], stringOf(key)
		i, pos, ok := t.find(g, h, k)
		if deleted {
			if ok {
				t.release(g, i, pos)
			}
			return nil
		}
		if !ok {
			pos, _ = t.add(g, i, h, t.keep(p, k))
		}
		return decodeValue(t.values, value, &p.sl.at(pos).val)
	})
}

func (t *arenaTable[V]) hashRestored(group flow.KeyGroup, key []byte, hashBytes func([]byte) (uint64, error)) (uint64, error) {
	h, err := hashBytes(key)
	switch {
	case err != nil:
		return 0, fmt.Errorf("key: %w", err)
	case len(key) > keyLenMax:
		return 0, fmt.Errorf("key of %d bytes, want at most %d", len(key), keyLenMax)
	case flow.GroupOf(h, t.mask+1) != group:
		return 0, errWrongGroup(h, t.mask+1, group)
	}
	return h, nil
}

// asKey views a string as a key of the same kind. K must be a string type.
func asKey[K comparable](s string) K { return *(*K)(unsafe.Pointer(&s)) }

// asString views a key as the string that it is. K must be a string type.
func asString[K comparable](k K) string { return *(*string)(unsafe.Pointer(&k)) }
