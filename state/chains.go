package state

import (
	"bytes"
	"slices"
)

// chains find the timers of a key: each key's are linked through their entries. Nothing of it is in snapshots.
type chains struct {
	table *core
	heads map[uint64]uint32 // by the key's hash: position+1 of the first timer; keys with one hash share a chain
}

// newChains links all timers of a table; keyHash is the hash of the key in a timer's key.
func newChains(table *core, keyHash func(key string) uint64) *chains {
	c := &chains{table, make(map[uint64]uint32, table.n)}
	for g := range table.parts {
		p := &table.parts[g]
		for pos := range p.sl.n {
			if p.sl.status[pos].marks&markLive != 0 {
				c.link(keyHash(p.ar.get(p.sl.at(pos).key.ref())), g, pos)
			}
		}
	}
	return c
}

func links(sl *slab, pos uint32) *timerLinks { return (*timerLinks)(sl.at(pos).value()) }

func (c *chains) link(hash uint64, g int, pos uint32) {
	sl, head := &c.table.parts[g].sl, c.heads[hash]
	*links(sl, pos) = timerLinks{next: head}
	if head != 0 {
		links(sl, head-1).prev = pos + 1
	}
	c.heads[hash] = pos + 1
}

func (c *chains) unlink(hash uint64, g int, pos uint32) {
	sl := &c.table.parts[g].sl
	at := *links(sl, pos)
	if at.next != 0 {
		links(sl, at.next-1).prev = at.prev
	}
	switch {
	case at.prev != 0:
		links(sl, at.prev-1).next = at.next
	case at.next != 0:
		c.heads[hash] = at.next
	default:
		delete(c.heads, hash)
	}
}

// times are those of the key with these canonical bytes, earliest first.
func (c *chains) times(hash uint64, key []byte) (all []int64) {
	p := &c.table.parts[c.table.partOf(hash)]
	for at := c.heads[hash]; at != 0; {
		e := p.sl.at(at - 1)
		if outer, atNS, err := timerParts(p.ar.get(e.key.ref())); err == nil && bytes.Equal(outer, key) {
			all = append(all, atNS)
		}
		at = links(&p.sl, at-1).next
	}
	slices.Sort(all)
	return all
}
