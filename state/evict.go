package state

// evictMax bounds the entries evicted, and so written, at a time.
const evictMax = 256

// cache is a paged table as its store knows it.
type cache interface {
	cachedBytes() int64
	evict(n int) (evicted int)
}

// makeRoom evicts from the largest cache while all together are over the bound, and a little further, so that writes come in
// batches. The entries given out last stay.
func (s *Store) makeRoom() {
	if s.cached <= s.o.CacheBytes {
		return
	}
	for goal := s.o.CacheBytes - s.o.CacheBytes/16; s.cached > goal; {
		largest := s.caches[0]
		for _, c := range s.caches[1:] {
			if c.cachedBytes() > largest.cachedBytes() {
				largest = c
			}
		}
		if largest.evict(evictMax) == 0 {
			return
		}
	}
}

func (t *paged) cachedBytes() int64 { return t.size }

// account brings the store's sum up to date with this cache's size.
func (t *paged) account() {
	size := int64(t.hot.n)*(t.hot.perEntry()+20) + 2*t.hot.keyBytes // 20: the share in the index; 2: of an arena up to half may be dead
	t.hot.s.cached += size - t.size
	t.size = size
}

// evict drops about n entries that were not used since the clock hand came by last, and writes the stale ones to the store.
func (t *paged) evict(n int) (evicted int) {
	excess := t.hot.s.cached - t.hot.s.o.CacheBytes + t.hot.s.o.CacheBytes/16
	n = min(n, int(excess/max(1, t.size/int64(max(1, t.hot.n))))+1)
	t.tellDeletes()
	for range 2*len(t.hot.parts) + 1 {
		g := t.hand.group
		for p := &t.hot.parts[g]; t.hand.pos < p.sl.n && evicted < n; t.hand.pos++ {
			st := &p.sl.status[t.hand.pos]
			switch at := placeOf(g, t.hand.pos); {
			case st.marks&markLive == 0 || t.pinned && at == t.pin:
			case st.marks&markUsed != 0:
				st.marks &^= markUsed
			default:
				t.drop(g, t.hand.pos)
				evicted++
			}
		}
		if evicted >= n {
			break
		}
		t.hand.group, t.hand.pos = (g+1)%len(t.hot.parts), 0
	}
	t.write()
	t.account()
	return evicted
}

// drop takes an entry out of the cache: into the snapshot that needs it, and into the batch if the store lacks it.
func (t *paged) drop(g int, pos uint32) {
	e, st := t.hot.parts[g].sl.at(pos), &t.hot.parts[g].sl.status[pos]
	key := t.hot.parts[g].ar.get(e.key.ref())
	h := t.hot.hashOf(&t.hot.parts[g], e.key)
	snapshot := st.epoch != 0 && !t.hot.volatile
	if snapshot || st.marks&markStale != 0 {
		t.hot.valueBuf = t.hot.shape.append(t.hot.valueBuf[:0], e.value())
		t.hot.measure(len(t.hot.valueBuf))
	}
	if snapshot {
		t.hot.buffer(g, st.epoch).put(bytesOf(key), t.hot.valueBuf)
	}
	if st.marks&markStale != 0 {
		t.writeBack(g, key, st)
	}
	t.hot.release(g, t.hot.parts[g].ix.slotOf(h, pos), pos)
}

// writeBack puts the value in valueBuf into the batch. Deletions that are pending are in it already: a put is younger.
func (t *paged) writeBack(g int, key string, st *status) {
	t.batch.add(Write{Group: t.group(g)}, key, t.hot.valueBuf)
	if st.marks&markStored == 0 {
		t.stored[g]++
	}
	st.marks = st.marks&^markStale | markStored
}
