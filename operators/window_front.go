package operators

// front is what a firing leaves for the next of the same key, so that a pane costs about three merges however many slices it is made
// of, whatever the merge (van Herk 1992; Gil and Werman 1993): slices are divided into runs as long as a pane, each pane is the end of
// one run and the beginning of the next. The ends of a run are merged in one pass, from its last slice to its first; runs of
// different keys end at different slices, so that no firing has the passes of all. It is not in snapshots: what is not there is
// merged again.
type front[A any] struct {
	run     int64   // the last slice of the run whose ends are there
	upTo    int64   // as far as the slices behind it have been merged
	touched int64   // paneState.Touched when it was made
	begin   cell[A] // the slices behind the run up to upTo

	// cells has room for the slices of a pane that have records, later ones before earlier ones: first the ends of the run, last the
	// slices behind it, out of which the next run's ends are made without a look at the state.
	cells        []sliceCell[A]
	ends, behind int
}

// sliceCell is a slice, or what it and all behind it in its run add up to.
type sliceCell[A any] struct {
	slice int64
	cell  cell[A]
}

func (f *front[A]) len() int { return f.ends + f.behind }

// reserve makes room for one more slice of at most width.
func (f *front[A]) reserve(width int64) {
	n := len(f.cells)
	if f.len() < n {
		return
	}
	more := make([]sliceCell[A], max(n+1, int(min(int64(2*n), width)), 2))
	copy(more, f.cells[:f.ends])
	copy(more[len(more)-f.behind:], f.cells[n-f.behind:])
	f.cells = more
}

// follow notes slice j behind the run.
func (f *front[A]) follow(j int64, c *cell[A], width int64) {
	f.reserve(width)
	f.behind++
	f.cells[len(f.cells)-f.behind] = sliceCell[A]{j, *c}
}

// turn makes the slices behind the run, those from slice from on, the ends of a run whose last slice is run.
func (f *front[A]) turn(merge merging[A], from, run int64) {
	var sum cell[A]
	n := 0
	for i := len(f.cells) - f.behind; i < len(f.cells) && f.cells[i].slice >= from; i++ {
		sum = merge.cells(&f.cells[i].cell, &sum)
		f.cells[n] = sliceCell[A]{f.cells[i].slice, sum}
		n++
	}
	f.run, f.upTo, f.begin, f.ends, f.behind = run, run, cell[A]{}, n, 0
}

// passed drops the ends of slices before slice from.
func (f *front[A]) passed(from int64) {
	for f.ends > 0 && f.cells[f.ends-1].slice < from {
		f.ends--
	}
}

// lookAhead reads what the next pane reads and writes of cells, and makes a number of it, so that nothing is left out.
func (f *front[A]) lookAhead() (read int64) {
	if n := len(f.cells) - f.behind; n > 0 {
		read = f.cells[n-1].slice
	}
	if f.ends > 0 {
		read += f.cells[max(f.ends-2, 0)].slice
	}
	return read
}

// frontCellsMax bounds the slices that all fronts of a task hold: a firing of what does not fit merges all slices of its pane.
const frontCellsMax = 1 << 22

// fronts keeps those that are not in use, and counts.
type fronts[A any] struct {
	spare []*front[A]
	kept  int // what the spare ones have room for
	cells int
}

// sparesMax bounds what is kept for other keys: each front counts as its room and frontSize more.
const (
	sparesMax = 1 << 19
	frontSize = 4
)

func (f *fronts[A]) take() *front[A] {
	if n := len(f.spare); n > 0 {
		x := f.spare[n-1]
		f.spare = f.spare[:n-1]
		f.kept -= len(x.cells) + frontSize
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
	f.cells -= x.len()
	if f.kept += len(x.cells) + frontSize; f.kept > sparesMax {
		f.kept -= len(x.cells) + frontSize
		return
	}
	clear(x.cells)
	*x = front[A]{cells: x.cells}
	f.spare = append(f.spare, x)
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
		f.run, f.touched = run-1, s.Touched-1
	}
	x.fronts.cells -= f.len()
	switch {
	case f.touched != s.Touched:
		x.endsOf(f, s, d, from, run)
	case f.run != run: // behind upTo: runs follow each other
		x.follow(f, s, d, from, run)
		f.turn(x.merge, from, run)
	}
	f.passed(from)
	x.follow(f, s, d, from, to)
	x.fronts.cells += f.len()
	d.front = f
	c := f.begin
	if f.ends > 0 {
		c = x.merge.cells(&f.cells[f.ends-1].cell, &f.begin)
	}
	if x.fronts.cells > frontCellsMax {
		x.fronts.release(&d.front)
	}
	return c
}

// endsOf merges the ends of a run as far back as slice from.
func (x *aligned[K, T, A, V]) endsOf(f *front[A], s held[A], d *dueKey[K, A], from, run int64) {
	f.run, f.upTo, f.touched, f.begin, f.ends, f.behind = run, run, s.Touched, cell[A]{}, 0, 0
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
				f.reserve(x.width)
				f.cells[f.ends] = sliceCell[A]{j, sum}
				f.ends++
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

// follow adds the slices behind upTo as far as slice to, those from slice from on, to the ones behind the run.
func (x *aligned[K, T, A, V]) follow(f *front[A], s held[A], d *dueKey[K, A], from, to int64) {
	if to <= f.upTo {
		return
	}
	from = max(from, f.upTo+1)
	f.upTo = to
	for n := from >> x.bits; n <= min(to>>x.bits, s.Block); n++ {
		if b := x.reading(s, d.hash, d.key, n); b != nil {
			first := n << x.bits
			for j := max(from, first); j <= min(to, first+int64(len(b))-1); j++ { // one, as a rule
				if c := &b[j-first]; !c.empty() {
					f.begin = x.merge.cells(&f.begin, c)
					f.follow(j, c, x.width)
				}
			}
		}
		if n<<x.bits > s.Last {
			n = max(n, s.Block-1)
		}
	}
}
