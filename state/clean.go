package state

import (
	"cmp"
	"slices"
)

// clean removes at most n expired entries and looks at at most 4n deadlines; remove takes the entry out, with whatever
// belongs to it. It returns how many were removed.
func (c *core[R, V]) clean(n int, remove func(at place)) (removed int) {
	now, x := c.s.o.Clock.NowNS, &c.expiry
	for looked := 0; removed < n && looked < 4*n && !x.queue.empty() && x.queue.peek().dueNS <= now; looked++ {
		at := x.queue.pop().at
		e := c.parts[at.part()].sl.at(at.pos())
		if e.marks&markLive == 0 {
			e.marks &^= markQueued
			continue
		}
		switch due := x.instant(&e.val); {
		case due == 0 && x.ttl == 0:
			e.marks &^= markQueued
		case due == 0:
			x.queue.push(deadline{now + int64(x.ttl), at})
		case due > now: // renewed since
			x.queue.push(deadline{due, at})
		default:
			e.marks &^= markQueued
			remove(at)
			removed++
		}
	}
	return removed
}

// queueRestored queues what restored entries expire at, oldest first.
func (c *core[R, V]) queueRestored() {
	if c.expiry.instant == nil {
		return
	}
	var all []deadline
	for g := range c.parts {
		p := &c.parts[g]
		for pos := range p.sl.n {
			e := p.sl.at(pos)
			if e.marks&(markLive|markQueued) != markLive {
				continue
			}
			if due := c.expiry.instant(&e.val); due != 0 {
				e.marks |= markQueued
				all = append(all, deadline{due, placeOf(g, pos)})
			}
		}
	}
	slices.SortFunc(all, func(a, b deadline) int { return cmp.Compare(a.dueNS, b.dueNS) })
	for _, d := range all {
		c.expiry.queue.push(d)
	}
}
