package state

import (
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// paged is a table larger than memory: a write-back cache of entries in front of a byte store. The cache is an arena table, so
// snapshots work as they do in memory: whatever a snapshot may still need is in the cache or, once evicted, in its buffers.
//
// An entry is stale when the store has no or an older value, stored when the store has a value of its key.
type paged[K comparable, V any] struct {
	hot    arenaTable[V]
	keys   keying[K]
	life   expiry[V]
	hook   func(key K)
	mortal bool // some value has or may get an end
	store  ByteStore

	total   int                   // entries, cached or not
	stored  []int                 // entries of each part that the store has, without those in deletes
	deletes map[deletion]struct{} // stored keys that the store has not been told to forget

	pin      place // the entry that the last call gave out: eviction passes over it
	pinned   bool
	hand     Cursor // of the eviction clock
	cleaning Cursor
	size     int64 // the share in Store.cached

	scratch []byte // the key in hand
	fetched []byte // a value from the store
	batch   batch
}

func newPaged[K comparable, V any](s *Store, operator, name string, keys keying[K], values valuing[V]) (*paged[K, V], error) {
	store, err := s.o.Bytes.Open(operator, name)
	if err != nil {
		return nil, err
	}
	t := &paged[K, V]{keys: keys, store: store, stored: make([]int, s.o.Groups.Len()), deletes: map[deletion]struct{}{}}
	t.hot.initArena(s, operator, name, keys.schema, keys.hashBytes, values)
	s.caches = append(s.caches, t)
	return t, nil
}

func (t *paged[K, V]) At(h uint64, k K) *V {
	v, _ := t.AtNew(h, k)
	return v
}

func (t *paged[K, V]) AtNew(h uint64, k K) (v *V, fresh bool) {
	t.ready()
	g, key := t.hot.partOf(h), t.canonical(k)
	slot, pos, ok := t.hot.find(g, h, key)
	if !ok {
		pos, ok = t.load(g, slot, h, key)
	}
	if !ok {
		pos, _ = t.hot.insert(g, slot, h, t.hot.keep(&t.hot.parts[g], h, key))
		t.total++
		t.account()
		fresh = true
	}
	sl := &t.hot.parts[g].sl
	st := &sl.status[pos]
	if st.epoch != t.hot.epoch {
		t.hot.firstWrite(g, pos)
	}
	st.marks |= markUsed | markStale
	t.hold(g, pos)
	return &sl.at(pos).val, fresh
}

func (t *paged[K, V]) Get(h uint64, k K) (*V, bool) {
	t.ready()
	g, key := t.hot.partOf(h), t.canonical(k)
	slot, pos, ok := t.hot.find(g, h, key)
	if !ok {
		if pos, ok = t.load(g, slot, h, key); !ok {
			return nil, false
		}
	}
	t.hot.parts[g].sl.status[pos].marks |= markUsed
	t.hold(g, pos)
	return t.hot.read(g, pos), true
}

func (t *paged[K, V]) Delete(h uint64, k K) bool {
	t.ready()
	return t.deleteKey(h, t.canonical(k), true)
}

// deleteKey removes an entry; during a restore no snapshot is told.
func (t *paged[K, V]) deleteKey(h uint64, key string, tell bool) bool {
	g := t.hot.partOf(h)
	slot, pos, ok := t.hot.find(g, h, key)
	if ok {
		if t.hot.parts[g].sl.status[pos].marks&markStored != 0 {
			t.forget(g, key)
		}
		if tell {
			t.hot.remove(g, slot, pos)
		} else {
			t.hot.release(g, slot, pos)
		}
	} else if ok = t.inStore(g, key); ok {
		t.forget(g, key)
		if tell && !t.hot.s.o.Volatile {
			t.hot.tombstone(g, bytesOf(key))
		}
	}
	if ok {
		t.total--
	}
	return ok
}

// load brings an entry that the store has into the cache, settled.
func (t *paged[K, V]) load(g int, slot, h uint64, key string) (pos uint32, ok bool) {
	if !t.inStore(g, key) {
		return 0, false
	}
	pos, e := t.hot.add(g, slot, h, t.hot.keep(&t.hot.parts[g], h, key))
	st := &t.hot.parts[g].sl.status[pos]
	st.epoch = 0 // the place may be left in dirty by an entry that was evicted
	st.marks |= markStored
	if err := decodeValue(t.hot.values, t.fetched, &e.val); err != nil {
		t.fail("read", g, err)
	}
	t.hot.measure(len(t.fetched))
	t.account()
	return pos, true
}

// inStore fetches the value of key from the store, unless it was deleted there.
func (t *paged[K, V]) inStore(g int, key string) bool {
	if t.stored[g] == 0 || t.forgotten(g, key) {
		return false
	}
	value, ok, err := t.store.Get(t.group(g), bytesOf(key), t.fetched[:0])
	if err != nil {
		t.fail("read", g, err)
	}
	t.fetched = value
	return ok
}

func (t *paged[K, V]) fail(verb string, g int, err error) {
	fail("operator %q: state %q, key group %d: %s byte store: %w", t.hot.operator, t.hot.name, t.group(g), verb, err)
}

func (t *paged[K, V]) group(g int) flow.KeyGroup { return flow.KeyGroup(t.hot.lo + g) }

// canonical is the key's bytes as a string, good until the next call.
func (t *paged[K, V]) canonical(k K) string {
	if t.keys.form == codec.KeyString {
		return asString(k)
	}
	t.scratch = t.keys.append(t.scratch[:0], k)
	return stringOf(t.scratch)
}

// hold protects the entry whose pointer is given out until the next call.
func (t *paged[K, V]) hold(g int, pos uint32) { t.pin, t.pinned = placeOf(g, pos), true }

// ready ends that, at the start of a call, and makes room in the caches.
func (t *paged[K, V]) ready() {
	t.pinned = false
	t.hot.s.makeRoom()
}

// Len is the number of entries, cached or not.
func (t *paged[K, V]) Len() int { return t.total }
