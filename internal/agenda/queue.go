// Package agenda keeps what is due when: a calendar queue, in buckets of time.
package agenda

import (
	"math"
	"time"
)

// Queue says which nodes are due, in buckets of time: a node goes into the list of its bucket, and only the bucket that time
// has come to is put in order. A heap of all nodes would cost each of them the logarithm of all, a timer a table's entry besides;
// here a node costs its cell and, most of the time, one append. It is made anew after a restore and in no snapshot. See R. Brown,
// Calendar Queues, CACM 31 (1988); here the buckets are found by a map and do not repeat each year.
//
// A cell may outlive what it is about: whoever takes it looks whether it is still true. One goroutine uses a queue.
type Queue[N any] struct {
	shift  uint              // the bucket of a time is its high bits
	before func(a, b N) bool // orders nodes of one time; nil: a bucket is handed out, in any order, when all of it is due
	revise func(node N, dueNS int64) (nowNS int64, ok bool)

	buckets map[int64]*segment[N]    // by number
	numbers []int64                  // heap of the buckets' numbers
	recent  [recentBuckets]recent[N] // by the low bits of a bucket's number: neighbours in time come together
	spare   *segment[N]

	active   []Cell[N] // of the bucket in hand and those before: a heap when ordered
	activeNo int64
}

// Cell says that a node is due.
type Cell[N any] struct {
	DueNS int64
	Node  N
}

// recent is a bucket that need not be looked for.
type recent[N any] struct {
	no int64
	s  *segment[N] // nil: none
}

const (
	segmentCells  = 31
	recentBuckets = 64
)

// segment is a piece of a bucket.
type segment[N any] struct {
	cells [segmentCells]Cell[N]
	n     int
	next  *segment[N]
}

const (
	shiftMin       = 20 // buckets of about a millisecond
	shiftMax       = 35 // buckets of about half a minute
	bucketsPerSpan = 64
)

// New makes a queue of nodes that are due within about span of now. before orders the nodes of one time, and the queue hands out
// each as soon as it is due, in the order of the times; nil: nodes come in any order and up to a 64th of the span later, which costs less.
func New[N any](span time.Duration, before func(a, b N) bool) Queue[N] {
	shift := uint(shiftMin)
	for shift < shiftMax && int64(span) > bucketsPerSpan<<shift {
		shift++
	}
	return Queue[N]{shift: shift, before: before, buckets: map[int64]*segment[N]{}, activeNo: math.MinInt64}
}

// Revise has f look at each cell when the time of its bucket has come, before that is put in order: f says when the node is due by
// now; if that is later the node is put off. Not ok drops it. So what moves often costs no order each time.
func (c *Queue[N]) Revise(f func(node N, dueNS int64) (nowNS int64, ok bool)) { c.revise = f }

// Push adds a node that is due at dueNS.
func (c *Queue[N]) Push(dueNS int64, node N) {
	no := dueNS >> c.shift
	if no <= c.activeNo {
		c.activate(Cell[N]{dueNS, node})
		return
	}
	r := &c.recent[no&(recentBuckets-1)]
	s := r.s
	if s == nil || no != r.no || s.n == segmentCells {
		s = c.open(no)
		r.no, r.s = no, s
	}
	s.cells[s.n] = Cell[N]{dueNS, node}
	s.n++
}

// open is the segment of a bucket that has room.
func (c *Queue[N]) open(no int64) *segment[N] {
	s := c.buckets[no]
	if s == nil {
		c.addNumber(no)
	}
	if s == nil || s.n == segmentCells {
		s = c.segment(s)
		c.buckets[no] = s
	}
	return s
}

func (c *Queue[N]) segment(next *segment[N]) *segment[N] {
	s := c.spare
	if s == nil {
		return &segment[N]{next: next}
	}
	c.spare = s.next
	s.n, s.next = 0, next
	return s
}

// Pop takes out a cell that is due at nowNS.
func (c *Queue[N]) Pop(nowNS int64) (Cell[N], bool) {
	for len(c.active) == 0 {
		if !c.load(nowNS) {
			return Cell[N]{}, false
		}
	}
	if c.before == nil {
		last := len(c.active) - 1
		top := c.active[last]
		c.active = c.active[:last]
		return top, true
	}
	top := c.active[0]
	if top.DueNS > nowNS {
		return Cell[N]{}, false
	}
	last := len(c.active) - 1
	c.active[0] = c.active[last]
	c.active = c.active[:last]
	c.sink(0)
	return top, true
}

// NextNS is a time before which Pop finds nothing; math.MaxInt64: there is nothing.
func (c *Queue[N]) NextNS() int64 {
	switch {
	case len(c.active) > 0:
		return c.active[0].DueNS
	case len(c.numbers) > 0:
		return c.opens(c.numbers[0])
	}
	return math.MaxInt64
}

// FirstNS is the time of what Pop gives next at nowNS, in a queue that is ordered, and about that in one that is not.
func (c *Queue[N]) FirstNS(nowNS int64) int64 {
	for len(c.active) == 0 && c.load(nowNS) { // all of a bucket may have been put off
	}
	return c.NextNS()
}

// opens is when a bucket is handed out.
func (c *Queue[N]) opens(no int64) int64 {
	if c.before != nil {
		return no << c.shift
	}
	return no<<c.shift + (1<<c.shift - 1)
}

// load makes the next bucket the active one, if its time has come.
func (c *Queue[N]) load(nowNS int64) bool {
	if len(c.numbers) == 0 || c.opens(c.numbers[0]) > nowNS {
		return false
	}
	no := c.popNumber()
	s := c.buckets[no]
	delete(c.buckets, no)
	if r := &c.recent[no&(recentBuckets-1)]; r.no == no {
		r.s = nil
	}
	c.activeNo = no
	for s != nil {
		c.activateAll(s.cells[:s.n], no)
		clear(s.cells[:s.n]) // nodes may have pointers
		next := s.next
		s.next, c.spare = c.spare, s
		s = next
	}
	if c.before != nil {
		for i := len(c.active)/2 - 1; i >= 0; i-- {
			c.sink(i)
		}
	}
	return true
}

func (c *Queue[N]) activateAll(cells []Cell[N], no int64) {
	if c.revise == nil {
		c.active = append(c.active, cells...)
		return
	}
	for _, x := range cells {
		var ok bool
		switch x.DueNS, ok = c.revise(x.Node, x.DueNS); {
		case !ok:
		case x.DueNS>>c.shift > no:
			c.Push(x.DueNS, x.Node)
		default:
			c.active = append(c.active, x)
		}
	}
}

func (c *Queue[N]) activate(x Cell[N]) {
	c.active = append(c.active, x)
	if c.before == nil {
		return
	}
	i := len(c.active) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.less(&x, &c.active[up]) {
			break
		}
		c.active[i] = c.active[up]
		i = up
	}
	c.active[i] = x
}

func (c *Queue[N]) less(a, b *Cell[N]) bool {
	return a.DueNS < b.DueNS || a.DueNS == b.DueNS && c.before(a.Node, b.Node)
}

// sink moves the cell at i down to where the heap is in order.
func (c *Queue[N]) sink(i int) {
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
		if child+1 < len(h) && c.less(&h[child+1], &h[child]) {
			child++
		}
		if !c.less(&h[child], &x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}

func (c *Queue[N]) addNumber(no int64) {
	h := append(c.numbers, no)
	i := len(h) - 1
	for i > 0 && no < h[(i-1)/2] {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = no
	c.numbers = h
}

func (c *Queue[N]) popNumber() int64 {
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
