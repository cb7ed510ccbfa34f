package state

import (
	"fmt"
	"unsafe"

	"github.com/millrace-io/millrace/flow"
)

// arenaTable is the table of keys that are bytes, kept in an arena for each part.
type arenaTable[V any] struct {
	core[arenaKey, V]
	inline   bool  // short keys stand in their entries
	keyBytes int64 // of the living keys
}

// initArena prepares the table in place, because its core keeps functions of it.
func (t *arenaTable[V]) initArena(s *Store, operator, name, keySchema string, hashBytes func([]byte) (uint64, error), values valuing[V]) {
	t.init(s, operator, name, values, keySchema)
	t.appendKey = func(dst []byte, p *part[arenaKey, V], key arenaKey) []byte {
		if key.far() { // a copy: dst comes back for the next key, and a view of the arena must not be written
			return append(dst, p.ar.get(key.ref())...)
		}
		return key.bytes(nil, dst)
	}
	buf := make([]byte, 0, inlineMax+1) // one of its own for each call would be an allocation
	t.hashOf = func(p *part[arenaKey, V], key arenaKey) uint64 {
		h, err := hashBytes(key.bytes(&p.ar, buf))
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
	want := t.wanted(h, k)
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			_, e := t.insert(g, i, h, t.keep(p, h, k))
			return &e.val
		}
		if s>>32 == h>>32 {
			if e := p.sl.at(uint32(s) - 1); e.key.hi == want.hi && (e.key.lo == want.lo || want.far() && p.ar.get(e.key.ref()) == k) {
				if p.sl.status[uint32(s)-1].epoch != t.epoch {
					t.firstWrite(g, uint32(s)-1)
				}
				return &e.val
			}
		}
	}
}

// find is the slot of k and its position, or the empty slot where the search ended.
func (t *arenaTable[V]) find(g int, h uint64, k string) (slot uint64, pos uint32, ok bool) {
	p := &t.parts[g]
	want := t.wanted(h, k)
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			return i, 0, false
		}
		if s>>32 != h>>32 {
			continue
		}
		if e := p.sl.at(uint32(s) - 1); e.key.hi == want.hi && (e.key.lo == want.lo || want.far() && p.ar.get(e.key.ref()) == k) {
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

// wanted is what the entry of k holds as its key, but for the place in the arena of a key that does not stand in the entry.
func (t *arenaTable[V]) wanted(h uint64, k string) arenaKey {
	if t.inline && len(k) <= inlineMax {
		return inlineKey(k)
	}
	return arenaKey{lo: noRef, hi: farBit | h>>1}
}

// keep makes the key of a new entry: k is copied into the arena unless it stands in the entry.
func (t *arenaTable[V]) keep(p *part[arenaKey, V], h uint64, k string) arenaKey {
	if len(k) > keyLenMax {
		fail("operator %q: state %q: key of %d bytes, want at most %d", t.operator, t.name, len(k), keyLenMax)
	}
	t.keyBytes += int64(len(k))
	key := t.wanted(h, k)
	if key.far() {
		key.lo = p.ar.put(k)
	}
	return key
}

// drop lets go of a removed entry's key. When most of the arena is dead, the living keys move into a new one; the old bytes
// stay as they are for whoever still views them.
func (t *arenaTable[V]) drop(p *part[arenaKey, V], key arenaKey) {
	t.keyBytes -= int64(key.len())
	if !key.far() || !p.ar.drop(key.ref()) {
		return
	}
	old := p.ar
	p.ar = old.empty()
	for pos := range p.sl.n {
		if e := p.sl.at(pos); p.sl.status[pos].marks&(markLive|markHeld) != 0 && e.key.far() {
			e.key.lo = p.ar.put(old.get(e.key.ref()))
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
			pos, _ = t.add(g, i, h, t.keep(p, h, k))
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
