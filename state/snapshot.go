package state

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/internal/planted"
)

// freeze ends the running epoch in O(1): its dirty list and its buffers become the frozen ones.
func (c *core) freeze() {
	invariants.Check(c.frozen.empty() && len(c.touched[2-c.epoch]) == 0,
		"freeze operator %q, state %q: the last snapshot has not been taken", c.operator, c.name)
	c.dirty, c.frozen = c.frozen, c.dirty
	c.epoch = 3 - c.epoch
}

// step encodes up to n frozen entries and says how many it has looked at; fewer than n: the snapshot is complete.
func (c *core) step(n int) int {
	old := 3 - c.epoch
	var some [stepAhead]place
	looked := 0
	for looked < n && !c.frozen.empty() {
		ahead := some[:0]
		for len(ahead) < min(stepAhead, n-looked) && !c.frozen.empty() {
			ahead = append(ahead, c.frozen.pop())
		}
		c.readPlaces(ahead)
		for _, at := range ahead {
			st := &c.parts[at.part()].sl.status[at.pos()]
			if st.epoch != old {
				continue // encoded before it was written or removed
			}
			if st.marks&markLive != 0 {
				c.encode(at.part(), at.pos())
			}
			st.epoch = 0
		}
		looked += len(ahead)
	}
	return looked
}

// stepAhead is how many frozen entries are read before they are encoded: they lie far apart.
const stepAhead = 16

// encode appends the entry to the epoch that wrote it.
func (c *core) encode(g int, pos uint32) {
	p := &c.parts[g]
	e := p.sl.at(pos)
	b := c.buffer(g, p.sl.status[pos].epoch)
	data, at := delta.Begin(b.data)
	data, at = delta.EndKey(c.appendKey(data, p, e.key), at)
	data = c.shape.append(data, e.value())
	if c.pointers {
		c.measure(len(data) - at - 1)
	}
	b.data, b.count = delta.EndValue(data, at), b.count+1
}

func (c *core) measure(encoded int) { c.encoded += (int64(encoded)-c.encoded)/8 + 1 }

func (c *core) tombstone(g int, key []byte) { c.buffer(g, c.epoch).delete(key) }

// buffer is the buffer of part g in an epoch, begun on the list of touched parts.
func (c *core) buffer(g int, epoch uint8) *buffer {
	b := &c.parts[g].bufs[epoch-1]
	if b.count == 0 {
		c.touched[epoch-1] = append(c.touched[epoch-1], int32(g))
		b.data = c.s.spareBytes()
	}
	return b
}

// take appends the blocks of the frozen epoch.
func (c *core) take(dst []delta.Block) []delta.Block {
	old := 2 - c.epoch // index of the frozen epoch's buffers
	for i, g := range c.touched[old] {
		if i > 0 && planted.On("one-key-group-taken") {
			c.parts[g].bufs[old] = buffer{}
			continue
		}
		b := &c.parts[g].bufs[old]
		dst = append(dst, delta.Block{Operator: c.operator, State: c.name, Group: flow.KeyGroup(c.lo + int(g)), Count: b.count, Data: b.data})
		*b = buffer{}
	}
	c.touched[old] = c.touched[old][:0]
	return dst
}
