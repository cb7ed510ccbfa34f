package state

import "unsafe"

// Entries in memory by their places, for what is derived from a table: see Seen and Sides.

// placeIn is placeNew of a table in memory. It is no method, which would be compiled for every table.
func placeIn[K comparable, V any](t *Table[K, V], hash uint64, key K) (v *V, at place, fresh bool) {
	var p unsafe.Pointer
	if t.keys.word {
		p, at, fresh = t.in.mem.placeNew(hash, wordKey(wordOf(key)), "")
	} else {
		k := t.canonical(key)
		p, at, fresh = t.in.mem.placeNew(hash, t.in.mem.wanted(hash, k), k)
	}
	return (*V)(p), at, fresh
}

// placeNew finds the entry of a key for reading, or makes it for writing.
func (c *core) placeNew(h uint64, want arenaKey, k string) (v unsafe.Pointer, at place, fresh bool) {
	g := c.partOf(h)
	slot, pos, ok := c.find(g, h, want, k)
	if !ok {
		pos, _ = c.insert(g, slot, h, c.keep(&c.parts[g], want, k))
	}
	return c.parts[g].sl.at(pos).value(), placeOf(g, pos), !ok
}

// valueAt is the value at a place, for reading.
func (c *core) valueAt(at place) unsafe.Pointer { return c.parts[at.part()].sl.at(at.pos()).value() }

// eachPlace calls f with every entry, which it may read.
func (c *core) eachPlace(f func(at place, v unsafe.Pointer)) {
	for g := range c.parts {
		p := &c.parts[g]
		for pos := range p.sl.n {
			if p.sl.status[pos].marks&markLive != 0 {
				f(placeOf(g, pos), p.sl.at(pos).value())
			}
		}
	}
}

// Tables whose entries are known by place alone are loose: they have no index but during a restore.

// loosen forgets the index.
func (c *core) loosen() {
	for i := range c.parts {
		c.parts[i].ix = index{slots: noSlots}
	}
}

// appendLoose makes a new entry of a loose table, changed in the running epoch.
func (c *core) appendLoose(g int, key arenaKey) (uint32, *entry) {
	pos, e := c.addLoose(g, key)
	c.born(g, pos)
	return pos, e
}

// removeLoose deletes an entry of a loose table.
func (c *core) removeLoose(g int, pos uint32) {
	c.bury(g, pos)
	c.hold(g, pos)
	c.vacate(g, pos)
}
