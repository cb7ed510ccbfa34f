package state

import (
	"cmp"
	"math"
	"slices"
)

// expiring is a state whose values may have a time to live.
type expiring interface {
	// nextExpiryNS is when the oldest deadline is up, MaxInt64 when there is none, 0 when only a look at the entries tells.
	nextExpiryNS() int64
}

// CleanDue is Clean for a turn that has more to do: it passes over the states in which nothing has expired, and over those
// that do not know it, which Clean looks through.
func (s *Store) CleanDue(n int) (removed int) {
	for range s.states {
		if removed >= n {
			break
		}
		s.cleaning = (s.cleaning + 1) % len(s.states)
		x, ok := s.states[s.cleaning].(expiring)
		if !ok {
			continue
		}
		if due := x.nextExpiryNS(); due != 0 && due <= s.o.Clock.NowNS {
			removed += s.states[s.cleaning].cleanUp(n - removed)
		}
	}
	return removed
}

// NextExpiryNS is the time, in nanoseconds since the Unix epoch, before which no value of any state expires: MaxInt64 when there
// is none with a time to live, 0 when only Clean finds out.
func (s *Store) NextExpiryNS() int64 {
	next := int64(math.MaxInt64)
	for _, t := range s.states {
		if x, ok := t.(expiring); ok {
			next = min(next, x.nextExpiryNS())
		}
	}
	return next
}

func (c *core) nextExpiryNS() int64 {
	if c.expiry.queue.empty() {
		return math.MaxInt64
	}
	now, due := c.s.o.Clock.NowNS, c.expiry.queue.peek().dueNS
	if c.expiry.tooFar(now, due) {
		return now
	}
	return due
}

// tooFar says whether a deadline was made under a longer time to live, by an older version of the job. Those behind it in the
// queue may be earlier, so it is not waited for.
func (x *expiry) tooFar(now, dueNS int64) bool { return x.ttl > 0 && dueNS-int64(x.ttl) > now }

func (t *paged) nextExpiryNS() int64 {
	if t.life.instant == nil || !t.mortal || t.total == 0 {
		return math.MaxInt64
	}
	return 0
}

func (c *core) expire(x expiry, hook func(key string)) { c.expiry, c.hook = x, hook }

// cleanUp removes at most n expired entries, with whatever belongs to them, and looks at at most 4n deadlines. It returns how
// many were removed.
func (c *core) cleanUp(n int) (removed int) {
	now, x := c.s.o.Clock.NowNS, &c.expiry
	for looked := 0; removed < n && looked < 4*n && !x.queue.empty(); looked++ {
		if due := x.queue.peek().dueNS; due > now && !x.tooFar(now, due) {
			break
		}
		at := x.queue.pop().at
		sl := &c.parts[at.part()].sl
		st := &sl.status[at.pos()]
		if st.marks&markLive == 0 {
			st.marks &^= markQueued
			continue
		}
		switch due := x.instant(sl.at(at.pos()).value()); {
		case due == 0 && x.ttl == 0:
			st.marks &^= markQueued
		case due == 0:
			x.queue.push(deadline{now + int64(x.ttl), at})
		case x.tooFar(now, due): // looked at again and again, so that the queue stays in order
			x.queue.push(deadline{now + int64(x.ttl), at})
		case due > now: // renewed since
			x.queue.push(deadline{due, at})
		default:
			st.marks &^= markQueued
			c.expired(at)
			removed++
		}
	}
	return removed
}

// expired removes an entry. The hook may view its key for as long as it likes: bytes of an arena are never overwritten.
func (c *core) expired(at place) {
	if c.hook == nil {
		c.removeAt(at)
		return
	}
	p := &c.parts[at.part()]
	c.hook(stringOf(c.appendKey(nil, p, p.sl.at(at.pos()).key)))
}

// queueRestored queues what restored entries expire at, oldest first.
func (c *core) queueRestored() {
	if c.expiry.instant == nil {
		return
	}
	var all []deadline
	for g := range c.parts {
		p := &c.parts[g]
		for pos := range p.sl.n {
			st := &p.sl.status[pos]
			if st.marks&(markLive|markQueued) != markLive {
				continue
			}
			if due := c.expiry.instant(p.sl.at(pos).value()); due != 0 {
				st.marks |= markQueued
				all = append(all, deadline{due, placeOf(g, pos)})
			}
		}
	}
	slices.SortFunc(all, func(a, b deadline) int { return cmp.Compare(a.dueNS, b.dueNS) })
	for _, d := range all {
		c.expiry.queue.push(d)
	}
}
