package state

import (
	"bytes"

	"github.com/millrace-io/millrace/codec"
)

// timerNode is a timer in a heap.
type timerNode struct {
	atNS int64
	at   timerPlace
}

// timerPlace is where a timer's entry is: id<<48 | part<<32 | position.
type timerPlace uint64

func timerAt(id TimerID, part int, pos uint32) timerPlace {
	return timerPlace(id)<<48 | timerPlace(part)<<32 | timerPlace(pos)
}

func (p timerPlace) id() TimerID { return TimerID(p >> 48) }
func (p timerPlace) part() int   { return int(p >> 32 & 0xffff) }
func (p timerPlace) pos() uint32 { return uint32(p) }

// timerHeap orders the timers of one domain, four children to a node. Deleted timers stay in it until they come up or are half
// of it: so an entry need not know its place here, which would cost a cache miss for each level of each change. Their entries
// are held, key and place, because the order of the heap rests on them.
type timerHeap struct {
	nodes   []timerNode
	gone    int                       // nodes of deleted timers
	tie     func(a, b timerNode) bool // whether a is before b at the same time
	alive   func(n timerNode) bool
	discard func(n timerNode) // lets go of the held entry of a node that is not alive
}

const fanOut = 4

func (h *timerHeap) push(n timerNode) {
	h.nodes = append(h.nodes, n)
	h.up(len(h.nodes) - 1)
}

func (h *timerHeap) before(a, b timerNode) bool {
	return a.atNS < b.atNS || a.atNS == b.atNS && h.tie(a, b)
}

// top is the first timer that is alive.
func (h *timerHeap) top() (timerNode, bool) {
	for len(h.nodes) > 0 {
		if n := h.nodes[0]; h.alive(n) {
			return n, true
		}
		h.discard(h.pop())
		h.gone--
	}
	return timerNode{}, false
}

func (h *timerHeap) pop() timerNode {
	first, last := h.nodes[0], len(h.nodes)-1
	h.nodes[0] = h.nodes[last]
	h.nodes = h.nodes[:last]
	if last > 0 {
		h.down(0)
	}
	return first
}

// deleted counts a timer that was deleted elsewhere and sweeps when half of the nodes are dead.
func (h *timerHeap) deleted() {
	if h.gone++; h.gone < 1024 || h.gone*2 < len(h.nodes) {
		return
	}
	kept := h.nodes[:0]
	for _, n := range h.nodes {
		if h.alive(n) {
			kept = append(kept, n)
		} else {
			h.discard(n)
		}
	}
	h.nodes, h.gone = kept, 0
	h.order()
}

// order makes a heap of the nodes.
func (h *timerHeap) order() {
	for i := (len(h.nodes)+fanOut-2)/fanOut - 1; i >= 0; i-- { // all that have children
		h.down(i)
	}
}

func (h *timerHeap) up(i int) {
	n := h.nodes[i]
	for i > 0 {
		parent := (i - 1) / fanOut
		if !h.before(n, h.nodes[parent]) {
			break
		}
		h.nodes[i] = h.nodes[parent]
		i = parent
	}
	h.nodes[i] = n
}

func (h *timerHeap) down(i int) {
	n := h.nodes[i]
	for {
		first := i*fanOut + 1
		if first >= len(h.nodes) {
			break
		}
		least := first
		for c := first + 1; c < min(first+fanOut, len(h.nodes)); c++ {
			if h.before(h.nodes[c], h.nodes[least]) {
				least = c
			}
		}
		if !h.before(h.nodes[least], n) {
			break
		}
		h.nodes[i] = h.nodes[least]
		i = least
	}
	h.nodes[i] = n
}

// alive says whether a node's timer has not been deleted: no entry is used again while a node stands for it.
func (t *Timers[K]) alive(n timerNode) bool {
	return t.kinds[n.at.id()].table.parts[n.at.part()].sl.status[n.at.pos()].marks&markLive != 0
}

func (t *Timers[K]) discard(n timerNode) {
	t.kinds[n.at.id()].table.vacate(n.at.part(), n.at.pos())
}

// outerOf is the canonical key of a node's timer.
func (t *Timers[K]) outerOf(n timerNode) []byte {
	p := &t.kinds[n.at.id()].table.parts[n.at.part()]
	outer, _, err := timerParts(p.ar.get(p.sl.at(n.at.pos()).key.ref()))
	if err != nil {
		fail("operator %q: timer in memory: %w", t.operator, err)
	}
	return outer
}

// tie orders timers of one time by key and name. Keys with strings and other fields are ordered by their canonical bytes.
func (t *Timers[K]) tie(a, b timerNode) bool {
	if c := t.compare(t.outerOf(a), t.outerOf(b)); c != 0 {
		return c < 0
	}
	return t.kinds[a.at.id()].name < t.kinds[b.at.id()].name
}

func (t *Timers[K]) compare(a, b []byte) int {
	if t.keys.form != codec.KeyPlain {
		return bytes.Compare(a, b)
	}
	return t.keys.compare(t.decode(a), t.decode(b))
}
