package state

import (
	"unsafe"

	"github.com/millrace-io/millrace/flow"
)

// paged is a table larger than memory: a write-back cache of entries in front of a byte store. The cache is a core, so
// snapshots work as they do in memory: whatever a snapshot may still need is in the cache or, once evicted, in its buffers.
//
// An entry is stale when the store has no or an older value, stored when the store has a value of its key.
type paged struct {
	hot    *core
	life   expiry
	hook   func(key string) // as a core has
	mortal bool             // some value has or may get an end
	store  ByteStore

	total   int                   // entries, cached or not
	stored  []int                 // entries of each part that the store has, without those in deletes
	deletes map[deletion]struct{} // stored keys that the store has not been told to forget

	pin      place // the entry that the last call gave out: eviction passes over it
	pinned   bool
	hand     Cursor // of the eviction clock
	cleaning Cursor
	size     int64 // the share in Store.cached

	fetched []byte // a value from the store
	seen    *entry // a cell for values that a scan shows
	batch   batch
}

func newPaged(s *Store, operator, name string, keys keyBytes, sh shape) (*paged, error) {
	store, err := s.o.Bytes.Open(operator, name)
	if err != nil {
		return nil, err
	}
	keys.inline, keys.word = false, false // the store knows canonical bytes
	t := &paged{
		hot: newCore(s, operator, name, keys, sh), store: store, seen: (*entry)(sh.entries(1)),
		stored: make([]int, s.o.Groups.Len()), deletes: map[deletion]struct{}{},
	}
	s.caches = append(s.caches, t)
	return t, nil
}

// at is the value of a key for writing, made if there is none.
func (t *paged) at(h uint64, key string) (v unsafe.Pointer, fresh bool) {
	t.ready()
	g, want := t.hot.partOf(h), t.hot.wanted(h, key)
	slot, pos, ok := t.hot.find(g, h, want, key)
	if !ok {
		pos, ok = t.load(g, slot, h, key)
	}
	if !ok {
		pos, _ = t.hot.insert(g, slot, h, t.hot.keep(&t.hot.parts[g], want, key))
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
	return sl.at(pos).value(), fresh
}

// edit is the value of a key for writing; nil when there is none.
func (t *paged) edit(h uint64, key string) unsafe.Pointer {
	if t.get(h, key) == nil {
		return nil
	}
	v, _ := t.at(h, key)
	return v
}

// get is the value of a key for reading; nil when there is none.
func (t *paged) get(h uint64, key string) unsafe.Pointer {
	t.ready()
	g := t.hot.partOf(h)
	slot, pos, ok := t.hot.find(g, h, t.hot.wanted(h, key), key)
	if !ok {
		if pos, ok = t.load(g, slot, h, key); !ok {
			return nil
		}
	}
	t.hot.parts[g].sl.status[pos].marks |= markUsed
	t.hold(g, pos)
	return t.hot.read(g, pos)
}

func (t *paged) delete(h uint64, key string) bool {
	t.ready()
	return t.deleteKey(h, key, true)
}

// deleteKey removes an entry; during a restore no snapshot is told.
func (t *paged) deleteKey(h uint64, key string, tell bool) bool {
	g := t.hot.partOf(h)
	slot, pos, ok := t.hot.find(g, h, t.hot.wanted(h, key), key)
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
		if tell && !t.hot.volatile {
			t.hot.tombstone(g, bytesOf(key))
		}
	}
	if ok {
		t.total--
	}
	return ok
}

// load brings an entry that the store has into the cache, settled.
func (t *paged) load(g int, slot, h uint64, key string) (pos uint32, ok bool) {
	if !t.inStore(g, key) {
		return 0, false
	}
	pos, e := t.hot.add(g, slot, h, t.hot.keep(&t.hot.parts[g], t.hot.wanted(h, key), key))
	st := &t.hot.parts[g].sl.status[pos]
	st.epoch = 0 // the place may be left in dirty by an entry that was evicted
	st.marks |= markStored
	if err := t.hot.shape.decode(t.fetched, e.value()); err != nil {
		t.fail("read", g, err)
	}
	t.hot.measure(len(t.fetched))
	t.account()
	return pos, true
}

// inStore fetches the value of key from the store, unless it was deleted there.
func (t *paged) inStore(g int, key string) bool {
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

func (t *paged) fail(verb string, g int, err error) {
	fail("operator %q: state %q, key group %d: %s byte store: %w", t.hot.operator, t.hot.name, t.group(g), verb, err)
}

func (t *paged) group(g int) flow.KeyGroup { return flow.KeyGroup(t.hot.lo + g) }

// hold protects the entry whose pointer is given out until the next call.
func (t *paged) hold(g int, pos uint32) { t.pin, t.pinned = placeOf(g, pos), true }

// ready ends that, at the start of a call, and makes room in the caches.
func (t *paged) ready() {
	t.pinned = false
	t.hot.s.makeRoom()
}
