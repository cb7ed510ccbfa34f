package state

import (
	"github.com/millrace-io/millrace/codec"
)

// mapHeader is where a map's chain of entries begins and ends. There is none for an empty map.
type mapHeader[MK comparable] struct {
	First, Last MK
	Count       int64 // entries in the chain, expired ones included
	Mortal      bool  // some entry has or had an end
}

// mapEntry is an entry in the chain.
type mapEntry[MK comparable, V any] struct {
	ExpireNS         int64 // nanoseconds since the Unix epoch; 0 never
	Prev, Next       MK
	HasPrev, HasNext bool
	Value            V
}

// keyedMap is a Map whose key type is known.
type keyedMap[K, MK comparable, V any] struct {
	at      *At[K]
	keys    keying[K]
	inner   keying[MK]
	headers *Table[K, mapHeader[MK]]
	entries *Table[string, mapEntry[MK, V]]
	life    lifetime
	outer   []byte // scratch: the key's canonical bytes
	mapKey  []byte // scratch: those of the map's key
	key     []byte // scratch: an entry's key
}

// entry is the hash and the key of entry mk of key k, which is good until the next call.
func (x *keyedMap[K, MK, V]) entry(hash uint64, k K, mk MK) (uint64, string) {
	x.outer = x.keys.append(x.outer[:0], k)
	x.mapKey = x.inner.append(x.mapKey[:0], mk)
	x.key = appendComposite(x.key[:0], x.outer, x.mapKey)
	return compositeHash(hash, x.mapKey), stringOf(x.key)
}

func (x *keyedMap[K, MK, V]) get(mk MK) (v V, ok bool) {
	e, ok := x.entries.Get(x.entry(x.at.Hash, x.at.Key, mk))
	if !ok || x.life.over(e.ExpireNS) {
		return v, false
	}
	return e.Value, true
}

func (x *keyedMap[K, MK, V]) set(mk MK, v V) {
	hash, k := x.at.Hash, x.at.Key
	e, fresh := x.entries.AtNew(x.entry(hash, k, mk))
	if !fresh && x.life.over(e.ExpireNS) { // it counts as gone: its successor comes last
		x.remove(hash, k, mk)
		e, fresh = x.entries.AtNew(x.entry(hash, k, mk))
	}
	e.ExpireNS, e.Value = x.life.end(), v
	if !fresh {
		if e.ExpireNS != 0 {
			x.markMortal(hash, k)
		}
		return
	}
	h := x.headers.At(hash, k)
	h.Mortal = h.Mortal || e.ExpireNS != 0
	if h.Count++; h.Count == 1 {
		h.First, h.Last = mk, mk
		return
	}
	last := h.Last
	h.Last = mk
	e.Prev, e.HasPrev = last, true
	e = x.entries.At(x.entry(hash, k, last))
	e.Next, e.HasNext = mk, true
}

// markMortal keeps the header's word when a job comes back with a time to live.
func (x *keyedMap[K, MK, V]) markMortal(hash uint64, k K) {
	if h, ok := x.headers.Get(hash, k); ok && !h.Mortal {
		x.headers.At(hash, k).Mortal = true
	}
}

func (x *keyedMap[K, MK, V]) delete(mk MK) bool {
	_, ok := x.get(mk)
	x.remove(x.at.Hash, x.at.Key, mk)
	return ok
}

// remove takes an entry out of the chain, expired or not.
func (x *keyedMap[K, MK, V]) remove(hash uint64, k K, mk MK) {
	e, ok := x.entries.Get(x.entry(hash, k, mk))
	if !ok {
		return
	}
	prev, next, hasPrev, hasNext := e.Prev, e.Next, e.HasPrev, e.HasNext
	x.entries.Delete(x.entry(hash, k, mk))
	h := x.headers.At(hash, k)
	if h.Count--; h.Count == 0 {
		x.headers.Delete(hash, k)
		return
	}
	if hasPrev {
		e := x.entries.At(x.entry(hash, k, prev))
		e.Next, e.HasNext = next, hasNext
	} else {
		h.First = next
	}
	if hasNext {
		e := x.entries.At(x.entry(hash, k, next))
		e.Prev, e.HasPrev = prev, hasPrev
	} else {
		h.Last = prev
	}
}

func (x *keyedMap[K, MK, V]) length() int {
	h, ok := x.headers.Get(x.at.Hash, x.at.Key)
	switch {
	case !ok:
		return 0
	case !h.Mortal:
		return int(h.Count)
	}
	n := 0
	x.each(func(MK, V) bool { n++; return true })
	return n
}

func (x *keyedMap[K, MK, V]) each(yield func(MK, V) bool) {
	hash, k := x.at.Hash, x.at.Key
	h, ok := x.headers.Get(hash, k)
	if !ok {
		return
	}
	for mk := h.First; ; {
		e, ok := x.entries.Get(x.entry(hash, k, mk))
		if !ok {
			return
		}
		next, more := e.Next, e.HasNext
		if !x.life.over(e.ExpireNS) && !yield(mk, e.Value) {
			return
		}
		if e, ok = x.entries.Get(x.entry(hash, k, mk)); ok { // it may have got a successor meanwhile
			next, more = e.Next, e.HasNext
		}
		if !more {
			return
		}
		mk = next
	}
}

func (x *keyedMap[K, MK, V]) clear() {
	hash, k := x.at.Hash, x.at.Key
	h, ok := x.headers.Get(hash, k)
	if !ok {
		return
	}
	mk, count := h.First, h.Count
	for range count {
		e, ok := x.entries.Get(x.entry(hash, k, mk))
		if !ok {
			fail("map of %d entries has a broken chain: %w", count, codec.ErrDamaged)
		}
		next := e.Next
		x.entries.Delete(x.entry(hash, k, mk))
		mk = next
	}
	x.headers.Delete(hash, k)
}

// expired removes an entry past its time.
func (x *keyedMap[K, MK, V]) expired(key string) {
	outer, inner, err := splitComposite(bytesOf(key))
	if err != nil {
		fail("map entry: %w", err)
	}
	k, err := x.keys.decode(outer)
	if err != nil {
		fail("map entry: key: %w", err)
	}
	mk, err := x.inner.decode(inner)
	if err != nil {
		fail("map entry: map key: %w", err)
	}
	x.remove(x.keys.hash(k), k, mk)
}
