package state

import "unsafe"

// at is the value of a key for writing, made if there is none. want is what its entry holds as its key, k the canonical bytes of
// one that stands in the arena. A look-up of a short key or a number that is there ends here and makes no call, unless it is the
// first write of this epoch.
func (c *core) at(h uint64, want arenaKey, k string) unsafe.Pointer {
	p := &c.parts[c.partOf(h)]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			break
		}
		if s>>32 != h>>32 {
			continue
		}
		pos := uint32(s) - 1
		if e := p.sl.at(pos); e.key == want {
			if p.sl.status[pos].epoch != c.epoch {
				c.firstWrite(c.partOf(h), pos)
			}
			return e.value()
		}
	}
	return c.search(h, want, k)
}

//go:noinline
func (c *core) search(h uint64, want arenaKey, k string) unsafe.Pointer {
	g := c.partOf(h)
	i, pos, ok := c.find(g, h, want, k)
	p := &c.parts[g]
	if !ok {
		pos, _ = c.insert(g, i, h, c.keep(p, want, k))
	}
	return c.write(g, pos)
}

// find is the slot of a key and its position, or the empty slot where the search ended.
func (c *core) find(g int, h uint64, want arenaKey, k string) (slot uint64, pos uint32, ok bool) {
	p := &c.parts[g]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			return i, 0, false
		}
		if s>>32 != h>>32 {
			continue
		}
		if e := p.sl.at(uint32(s) - 1); e.key == want || want.far() && e.key.hi == want.hi && p.ar.get(e.key.ref()) == k {
			return i, uint32(s) - 1, true
		}
	}
}

// edit is the value of a key for writing; nil when there is none.
func (c *core) edit(h uint64, want arenaKey, k string) unsafe.Pointer {
	g := c.partOf(h)
	_, pos, ok := c.find(g, h, want, k)
	if !ok {
		return nil
	}
	return c.write(g, pos)
}

// get is the value of a key for reading; nil when there is none.
func (c *core) get(h uint64, want arenaKey, k string) unsafe.Pointer {
	g := c.partOf(h)
	_, pos, ok := c.find(g, h, want, k)
	if !ok {
		return nil
	}
	return c.read(g, pos)
}

func (c *core) delete(h uint64, want arenaKey, k string) bool {
	g := c.partOf(h)
	i, pos, ok := c.find(g, h, want, k)
	if ok {
		c.remove(g, i, pos)
	}
	return ok
}

// wanted is what the entry of the key with canonical bytes k holds as its key, but for the place in the arena of one that does
// not stand in the entry. Of a table of numbers it is wordKey.
func (c *core) wanted(h uint64, k string) arenaKey {
	if c.keys.inline && len(k) <= inlineMax {
		return inlineKey(k)
	}
	return arenaKey{lo: noRef, hi: farBit | h>>1}
}

// wordKey is what the entry of a number holds as its key.
func wordKey(w uint64) arenaKey { return arenaKey{lo: w, hi: 8 << 56} }

// keep makes the key of a new entry: k is copied into the arena unless it stands in the entry.
func (c *core) keep(p *part, want arenaKey, k string) arenaKey {
	if len(k) > keyLenMax {
		fail("operator %q: state %q: key of %d bytes, want at most %d", c.operator, c.name, len(k), keyLenMax)
	}
	if !c.keys.word {
		c.keyBytes += int64(len(k))
	}
	if want.far() {
		want.lo = p.ar.put(k)
	}
	return want
}

// drop lets go of a removed entry's key. When most of the arena is dead, the living keys move into a new one; the old bytes
// stay as they are for whoever still views them.
func (c *core) drop(p *part, key arenaKey) {
	if !c.keys.word {
		c.keyBytes -= int64(key.len())
	}
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

// appendKey appends the canonical bytes of an entry's key.
func (c *core) appendKey(dst []byte, p *part, key arenaKey) []byte {
	switch {
	case c.keys.word:
		return c.keys.appendWord(dst, key.lo)
	case key.far(): // a copy: dst comes back for the next key, and a view of the arena must not be written
		return append(dst, p.ar.get(key.ref())...)
	}
	return key.bytes(nil, dst)
}

// hashOf is the hash of an entry's key.
func (c *core) hashOf(p *part, key arenaKey) uint64 {
	if c.keys.word {
		return c.keys.hashWord(key.lo)
	}
	h, err := c.keys.hash(key.bytes(&p.ar, c.hashBuf))
	if err != nil { // these bytes were made by Append or have been decoded at restore
		fail("operator %q: state %q: key in memory: %w", c.operator, c.name, err)
	}
	return h
}
