package state

import (
	"time"
	"unsafe"

	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/planted"
)

// core is a table in memory, whatever the types of its keys and values: parts by key group, and the cooperative snapshot.
//
// Invariant: the epoch in an entry's status is 0 (settled), the running epoch (its place is in dirty) or the frozen one (its place is in
// frozen and Step has not come by). So "must be encoded before it is written" is one comparison.
type core struct {
	s              *Store
	operator, name string
	keys           keyBytes
	shape          shape
	schema         delta.Schema
	parts          []part
	lo, mask       int
	volatile       bool // no snapshot will be taken

	epoch   uint8 // the running epoch, 1 or 2 in turn
	dirty   fifo[place]
	frozen  fifo[place]
	touched [2][]int32 // parts whose buffer of that epoch is not empty

	pointers bool  // values hold pointers
	whole    bool  // who looks an entry up needs all of it, not its beginning: readAhead reads as much
	ahead    uint8 // what readAhead made of its reads, so that they are not left out
	n        int   // entries
	keyBytes int64 // of the living keys
	keyBuf   []byte
	hashBuf  []byte
	valueBuf []byte
	encoded  int64 // smoothed bytes of an encoded value, the measure of values with pointers

	expiry expiry
	hook   func(key string) // removes an expired entry with all that belongs to it; nil: the entry is all
}

// expiry is what a table knows about the time to live of its values.
type expiry struct {
	ttl     time.Duration                    // of new values; Forever: they are not queued
	instant func(value unsafe.Pointer) int64 // when it expires, nanoseconds since the Unix epoch, 0 never; nil: values do not expire
	queue   fifo[deadline]
}

// deadline says not to look at a place before dueNS.
type deadline struct {
	dueNS int64
	at    place
}

func newCore(s *Store, operator, name string, keys keyBytes, sh shape) *core {
	c := &core{
		s: s, operator: operator, name: name, keys: keys, shape: sh, epoch: 1, volatile: s.o.Volatile, pointers: sh.pointers,
		lo: s.o.Groups.Lo, mask: s.o.KeyGroups - 1, hashBuf: make([]byte, 0, inlineMax+1),
		schema: delta.Schema{Operator: operator, State: name, Key: keys.schema, Value: sh.schema},
		parts:  make([]part, s.o.Groups.Len()),
	}
	for i := range c.parts {
		c.parts[i].ix.slots = noSlots
	}
	return c
}

// partOf is the part of a hash. A hash of a key group that the store does not own panics.
func (c *core) partOf(hash uint64) int { return int(hash&uint64(c.mask)) - c.lo }

// insert makes the entry of an absent key, zero and changed in the running epoch. i is the empty slot that the search ended at.
//
//go:noinline
func (c *core) insert(g int, i, hash uint64, key arenaKey) (uint32, *entry) {
	pos, e := c.add(g, i, hash, key)
	c.born(g, pos)
	return pos, e
}

// born tells the snapshot of a new entry.
func (c *core) born(g int, pos uint32) {
	st := &c.parts[g].sl.status[pos]
	st.marks |= markBorn
	if st.epoch != c.epoch { // otherwise dirty holds the place from an entry that died in this epoch
		st.epoch = c.epoch
		c.note(g, pos)
	}
}

// add makes a settled entry without telling the snapshot: insert and restore build on it.
func (c *core) add(g int, i, hash uint64, key arenaKey) (uint32, *entry) {
	pos, e := c.addLoose(g, key)
	c.parts[g].ix.put(i, hash, pos)
	return pos, e
}

// addLoose is add of an entry that is not in the index.
func (c *core) addLoose(g int, key arenaKey) (uint32, *entry) {
	p := &c.parts[g]
	pos, e := p.sl.alloc(&c.shape)
	e.key = key
	st := &p.sl.status[pos]
	st.marks = st.marks&markQueued | markLive
	c.n++
	if c.expiry.ttl > 0 && st.marks&markQueued == 0 {
		st.marks |= markQueued
		c.expiry.queue.push(deadline{c.s.o.Clock.NowNS + int64(c.expiry.ttl), placeOf(g, pos)})
	}
	return pos, e
}

// read is the value at pos for reading. A reader may change in place what the value points to before it asks to write the
// entry, so a running snapshot takes such a value now.
func (c *core) read(g int, pos uint32) unsafe.Pointer {
	p := &c.parts[g]
	if c.pointers {
		if st := &p.sl.status[pos]; st.epoch != c.epoch && st.epoch != 0 {
			c.encode(g, pos)
			st.epoch = 0
		}
	}
	return p.sl.at(pos).value()
}

// write is the value at pos for writing.
func (c *core) write(g int, pos uint32) unsafe.Pointer {
	p := &c.parts[g]
	if p.sl.status[pos].epoch != c.epoch {
		c.firstWrite(g, pos)
	}
	return p.sl.at(pos).value()
}

// note puts a place on the dirty list.
func (c *core) note(g int, pos uint32) {
	if !c.volatile {
		c.dirty.push(placeOf(g, pos))
	}
}

// firstWrite is called before the first write to an entry in this epoch: what a running snapshot still needs is encoded now.
//
//go:noinline
func (c *core) firstWrite(g int, pos uint32) {
	st := &c.parts[g].sl.status[pos]
	if st.epoch != 0 && !planted.On("frozen-entry-overwritten") {
		c.encode(g, pos)
	}
	st.epoch = c.epoch
	st.marks &^= markBorn
	c.note(g, pos)
}

// remove deletes the entry in slot i at pos.
func (c *core) remove(g int, i uint64, pos uint32) {
	c.bury(g, pos)
	c.release(g, i, pos)
}

// bury tells the snapshots that the entry goes: the deletion goes to the running epoch, unless no snapshot knows the key.
func (c *core) bury(g int, pos uint32) {
	p := &c.parts[g]
	st := &p.sl.status[pos]
	if st.epoch != 0 && st.epoch != c.epoch {
		if !planted.On("frozen-entry-removed") {
			c.encode(g, pos)
		}
		st.epoch = 0
	}
	if planted.On("deletion-not-in-the-snapshot") {
		return
	}
	if (st.epoch == 0 || st.marks&markBorn == 0) && !c.volatile {
		c.keyBuf = c.appendKey(c.keyBuf[:0], p, p.sl.at(pos).key)
		c.tombstone(g, c.keyBuf)
	}
}

// release frees the entry without a trace in the snapshot.
func (c *core) release(g int, i uint64, pos uint32) {
	c.retire(g, i, pos)
	c.vacate(g, pos)
}

// retire takes the entry out of the index; its place and key are held until vacate.
func (c *core) retire(g int, i uint64, pos uint32) {
	c.parts[g].ix.remove(i)
	c.hold(g, pos)
}

func (c *core) hold(g int, pos uint32) {
	p := &c.parts[g]
	c.shape.clear(p.sl.at(pos).value())
	st := &p.sl.status[pos]
	st.marks = st.marks&markQueued | markHeld
	c.n--
}

// vacate lets a retired entry's place be used again. It may still be in dirty, as its epoch tells.
func (c *core) vacate(g int, pos uint32) {
	p := &c.parts[g]
	e := p.sl.at(pos)
	key := e.key
	e.key = arenaKey{}
	p.sl.status[pos].marks &^= markHeld
	p.sl.free(pos)
	c.drop(p, key)
}

// removeAt is remove for an entry known by its place alone.
func (c *core) removeAt(at place) {
	p := &c.parts[at.part()]
	hash := c.hashOf(p, p.sl.at(at.pos()).key)
	c.remove(at.part(), p.ix.slotOf(hash, at.pos()), at.pos())
}

// reserve makes room for n entries in part g, when it is empty.
func (c *core) reserve(g, n int) {
	if p := &c.parts[g]; p.ix.n == 0 {
		p.ix.reserve(n)
		p.sl.reserve(&c.shape, n)
	}
}

func (c *core) id() (operator, name string) { return c.operator, c.name }
func (c *core) describe() delta.Schema      { return c.schema }
func (c *core) entries() int                { return c.n }

// bytes estimates the memory that the entries take.
func (c *core) bytes() int64 {
	total := int64(0)
	for i := range c.parts {
		p := &c.parts[i]
		total += int64(8*len(p.ix.slots) + p.ar.size)
	}
	return total + int64(c.n)*c.perEntry()
}

// perEntry estimates an entry's bytes without its key in the arena and its share of the index.
func (c *core) perEntry() int64 {
	size := int64(c.shape.stride()) + int64(unsafe.Sizeof(status{}))
	if c.pointers {
		size += 2 * c.encoded
	}
	return size
}

// scan is Scan over entries.
func (c *core) scan(cur *Cursor, n int, f func(p *part, e *entry)) bool {
	for ; cur.group < len(c.parts); cur.group, cur.pos = cur.group+1, 0 {
		p := &c.parts[cur.group]
		for ; cur.pos < p.sl.n; cur.pos++ {
			if p.sl.status[cur.pos].marks&markLive == 0 {
				continue
			}
			if n == 0 {
				return true
			}
			n--
			f(p, p.sl.at(cur.pos))
		}
	}
	return false
}
