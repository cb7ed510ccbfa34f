package state

// Entries in memory by their places, for what is derived from a table: see Seen.

func (t *keyed[K, V]) placeNew(h uint64, k K) (v *V, at place, fresh bool) {
	return t.placeOfBytes(h, t.view(k))
}

func (t *arenaTable[V]) placeOfBytes(h uint64, k string) (v *V, at place, fresh bool) {
	g := t.partOf(h)
	slot, pos, ok := t.find(g, h, k)
	if !ok {
		p := &t.parts[g]
		pos, _ = t.insert(g, slot, h, t.keep(p, h, k))
	}
	return &t.parts[g].sl.at(pos).val, placeOf(g, pos), !ok
}

// valueAt is the value at a place, for reading.
func (c *core[R, V]) valueAt(at place) *V { return &c.parts[at.part()].sl.at(at.pos()).val }

// eachPlace calls f with every entry, which it may read.
func (c *core[R, V]) eachPlace(f func(at place, v *V)) {
	for g := range c.parts {
		p := &c.parts[g]
		for pos := range p.sl.n {
			if p.sl.status[pos].marks&markLive != 0 {
				f(placeOf(g, pos), &p.sl.at(pos).val)
			}
		}
	}
}
