package operators

// front is what a firing leaves for the next of the same key, so that a pane costs about three merges however many slices it is made
// of, whatever the merge (van Herk 1992; Gil and Werman 1993): slices are divided into runs as long as a pane, each pane is the end of
// one run and the beginning of the next. The ends of a run are merged in one pass, from its last slice to its first; runs of
// different keys end at different slices, so that no firing has the passes of all. It is not in snapshots: what is not there is
// merged again.
type front[A any] struct {
	run     int64         // the last slice of the run that ends holds
	ends    []sliceEnd[A] // of it, the first slice last
	begin   cell[A]       // of the slices behind it
	upTo    int64         // as far as begin goes
	touched int64         // paneState.Touched when it was made
}

// sliceEnd is what a slice and all behind it in its run add up to.
type sliceEnd[A any] struct {
	slice int64
	cell  cell[A]
}

// frontCellsMax bounds the slices that all fronts of a task hold: a firing of what does not fit merges all slices of its pane.
const frontCellsMax = 1 << 22

// fronts keeps those that are not in use, and counts.
type fronts[A any] struct {
	spare []*front[A]
	cells int
}

// sparesMax bounds the fronts that are kept for other keys.
const sparesMax = 1024

func (f *fronts[A]) take() *front[A] {
	if n := len(f.spare); n > 0 {
		x := f.spare[n-1]
		f.spare = f.spare[:n-1]
		return x
	}
	return new(front[A])
}

// release takes a front out of use.
func (f *fronts[A]) release(at **front[A]) {
	x := *at
	if *at = nil; x == nil {
		return
	}
	f.cells -= len(x.ends)
	clear(x.ends[:cap(x.ends)])
	*x = front[A]{ends: x.ends[:0]}
	if len(f.spare) < sparesMax {
		f.spare = append(f.spare, x)
	}
}

// paneOf is the value of pane p of a key, all slices of which are there.
func (x *aligned[K, T, A, V]) paneOf(s held[A], d *dueKey[K, A], p int64) cell[A] {
	from := p * x.parts
	to := from + x.width - 1
	if x.width == 1 {
		if c := x.peek(s, d.hash, d.key, from); c != nil {
			return *c
		}
		return cell[A]{}
	}
	_, r := divide(to-int64(d.hash>>1), x.width)
	run := to - r // in the pane: runs are as long as panes
	f := d.front
	if f == nil {
		f = x.fronts.take()
		f.run = run - 1
	}
	if f.run != run || f.touched != s.Touched {
		x.fronts.cells -= len(f.ends)
		x.endsOf(f, s, d, from, run)
		x.fronts.cells += len(f.ends)
	}
	if to > f.upTo {
		f.begin = x.sum(f.begin, s, d, f.upTo+1, to)
		f.upTo = to
	}
	for n := len(f.ends); n > 0 && f.ends[n-1].slice < from; n-- {
		f.ends = f.ends[:n-1]
		x.fronts.cells--
	}
	d.front = f
	c := f.begin
	if n := len(f.ends); n > 0 {
		c = x.merge.cells(&f.ends[n-1].cell, &f.begin)
	}
	if x.fronts.cells > frontCellsMax {
		x.fronts.release(&d.front)
	}
	return c
}

// endsOf merges the ends of a run as far back as slice from.
func (x *aligned[K, T, A, V]) endsOf(f *front[A], s held[A], d *dueKey[K, A], from, run int64) {
	f.run, f.upTo, f.touched, f.begin, f.ends = run, run, s.Touched, cell[A]{}, f.ends[:0]
	var sum cell[A]
	for n := x.blockAt(s, run); n >= from>>x.bits; n = x.blockAt(s, n<<x.bits-1) {
		b := x.reading(s, d.hash, d.key, n)
		if b == nil {
			continue
		}
		first := n << x.bits
		for j := min(run, first+int64(len(b))-1); j >= max(from, first); j-- {
			if c := &b[j-first]; !c.empty() {
				sum = x.merge.cells(c, &sum)
				f.ends = append(f.ends, sliceEnd[A]{j, sum})
			}
		}
	}
}

// blockAt is the block of slice j, or of the one before it that there may be.
func (x *aligned[K, T, A, V]) blockAt(s held[A], j int64) int64 {
	if n := j >> x.bits; n <= s.Block {
		if n == s.Block {
			return n
		}
		return min(n, s.Last>>x.bits)
	}
	return s.Block
}

// sum adds slices from to to to c.
func (x *aligned[K, T, A, V]) sum(c cell[A], s held[A], d *dueKey[K, A], from, to int64) cell[A] {
	for n := from >> x.bits; n <= min(to>>x.bits, s.Block); n++ {
		if b := x.reading(s, d.hash, d.key, n); b != nil {
			first := n << x.bits
			for j := max(from, first); j <= min(to, first+int64(len(b))-1); j++ { // one, as a rule
				c = x.merge.cells(&c, &b[j-first])
			}
		}
		if n<<x.bits > s.Last {
			n = max(n, s.Block-1)
		}
	}
	return c
}
