package state

import (
	"math"
	"time"
)

// calendar says which nodes are due, in buckets of time: a node goes into the list of its bucket, and only the bucket that time
// has come to is put in order. A heap of all nodes would cost each of them the logarithm of all, a timer a table's entry besides;
// here a node costs two words and, most of the time, one append. It is rebuilt after a restore and in no snapshot.
//
// A cell may outlive what it is about: whoever takes it looks whether it is still true.
type calendar struct {
	shift   uint // the bucket of a time is its high bits
	ordered bool // nodes are handed out in the order of their times; else a bucket is handed out when all of it is due

	buckets map[int64]*segment // by number
	numbers []int64            // heap of the buckets' numbers
	last    *segment           // of bucket lastNo: neighbours in time come together
	lastNo  int64
	spare   *segment

	active   []cell // of the bucket in hand and those before: a heap when ordered
	activeNo int64
	n        int
}

// cell says that a node is due.
type cell struct {
	dueNS int64
	node  uint64
}

const segmentCells = 31

// segment is a piece of a bucket.
type segment struct {
	cells [segmentCells]cell
	n     int
	next  *segment
}

const (
	shiftMin       = 20 // buckets of about a millisecond
	shiftMax       = 35 // buckets of about half a minute
	bucketsPerSpan = 64
)

// newCalendar makes one for nodes that are due within about span of now.
func newCalendar(span time.Duration, ordered bool) calendar {
	shift := uint(shiftMin)
	for shift < shiftMax && int64(span) > bucketsPerSpan<<shift {
		shift++
	}
	return calendar{shift: shift, ordered: ordered, buckets: map[int64]*segment{}, lastNo: math.MinInt64, activeNo: math.MinInt64}
}

func (c *calendar) push(dueNS int64, node uint64) {
	c.n++
	no := dueNS >> c.shift
	if no <= c.activeNo {
		c.activate(cell{dueNS, node})
		return
	}
	s := c.last
	if s == nil || no != c.lastNo {
		s = c.buckets[no]
		if s == nil {
			c.addNumber(no)
		}
	}
	if s == nil || s.n == segmentCells {
		s = c.segment(s)
		c.buckets[no] = s
	}
	s.cells[s.n] = cell{dueNS, node}
	s.n++
	c.last, c.lastNo = s, no
}

func (c *calendar) segment(next *segment) *segment {
	s := c.spare
	if s == nil {
		return &segment{next: next}
	}
	c.spare = s.next
	s.n, s.next = 0, next
	return s
}

// pop takes out a cell that is due at nowNS.
func (c *calendar) pop(nowNS int64) (cell, bool) {
	if len(c.active) == 0 && !c.load(nowNS) {
		return cell{}, false
	}
	if !c.ordered {
		last := len(c.active) - 1
		top := c.active[last]
		c.active = c.active[:last]
		c.n--
		return top, true
	}
	top := c.active[0]
	if top.dueNS > nowNS {
		return cell{}, false
	}
	last := len(c.active) - 1
	c.active[0] = c.active[last]
	c.active = c.active[:last]
	c.sink(0)
	c.n--
	return top, true
}

// nextNS is a time before which pop finds nothing; math.MaxInt64: there is nothing.
func (c *calendar) nextNS() int64 {
	switch {
	case len(c.active) > 0:
		return c.active[0].dueNS
	case len(c.numbers) > 0:
		return c.opens(c.numbers[0])
	}
	return math.MaxInt64
}

// opens is when a bucket is handed out.
func (c *calendar) opens(no int64) int64 {
	if c.ordered {
		return no << c.shift
	}
	return no<<c.shift + (1<<c.shift - 1)
}

// load makes the next bucket the active one, if its time has come.
func (c *calendar) load(nowNS int64) bool {
	if len(c.numbers) == 0 || c.opens(c.numbers[0]) > nowNS {
		return false
	}
	no := c.popNumber()
	s := c.buckets[no]
	delete(c.buckets, no)
	if c.lastNo == no {
		c.last = nil
	}
	c.activeNo = no
	for s != nil {
		c.active = append(c.active, s.cells[:s.n]...)
		next := s.next
		s.next, c.spare = c.spare, s
		s = next
	}
	if c.ordered {
		for i := len(c.active)/2 - 1; i >= 0; i-- {
			c.sink(i)
		}
	}
	return true
}

func (c *calendar) activate(x cell) {
	c.active = append(c.active, x)
	if !c.ordered {
		return
	}
	i := len(c.active) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !before(x, c.active[up]) {
			break
		}
		c.active[i] = c.active[up]
		i = up
	}
	c.active[i] = x
}

func before(a, b cell) bool { return a.dueNS < b.dueNS || a.dueNS == b.dueNS && a.node < b.node }

// sink moves the cell at i down to where the heap is in order.
func (c *calendar) sink(i int) {
	h := c.active
	if i >= len(h) {
		return
	}
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && before(h[child+1], h[child]) {
			child++
		}
		if !before(h[child], x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}

func (c *calendar) addNumber(no int64) {
	h := append(c.numbers, no)
	i := len(h) - 1
	for i > 0 && no < h[(i-1)/2] {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = no
	c.numbers = h
}

func (c *calendar) popNumber() int64 {
	h := c.numbers
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for 2*i+1 < len(h) {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[child] >= last {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	c.numbers = h
	return first
}
