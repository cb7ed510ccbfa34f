package state

import "github.com/millrace-io/millrace/internal/agenda"

// Forget drops records that are due at nowNS, about limit at most, of a side that is not ordered, and says how many those were: 0 when
// no more are due.
func (d *Side[K, V]) Forget(nowNS int64, limit int) (n int) {
	var some [forgetAhead]agenda.Cell[uint64]
	for n < limit {
		cells := some[:0]
		for len(cells) < len(some) {
			c, ok := d.due.Pop(nowNS)
			if !ok {
				break
			}
			cells = append(cells, c)
		}
		if len(cells) == 0 {
			return n
		}
		d.readAhead(cells)
		for _, c := range cells {
			n += d.forget(d.x.lineAt(place(c.Node)), c.DueNS, nowNS)
		}
	}
	return n
}

// forgetAhead is how many lines are read before the first is worked on: they lie far apart.
const forgetAhead = 16

// readAhead reads what forget will read: the lines, then their oldest stamps, then those records, so that none of the reads of one
// kind waits for another.
func (d *Side[K, V]) readAhead(cells []agenda.Cell[uint64]) {
	m, read := d.table.in.mem, uint8(0)
	if m == nil {
		return
	}
	var oldest [forgetAhead]*stamp
	for i, c := range cells {
		if s := d.of(d.x.lineAt(place(c.Node))); s.len() > 0 {
			oldest[i] = &s.buf[s.head]
		}
	}
	var at [forgetAhead]uint32
	for i := range cells {
		if oldest[i] != nil {
			at[i] = uint32(oldest[i].n)
		}
	}
	for i, c := range cells {
		if oldest[i] != nil {
			read += m.parts[place(c.Node).part()].touch(at[i])
		}
	}
	m.ahead = read
}

// forget drops what is due of a line that has a cell.
func (d *Side[K, V]) forget(l Line, cellNS, nowNS int64) (n int) {
	s := d.of(l)
	if !s.noted || s.cellNS != cellNS {
		return 0 // an earlier cell has been here
	}
	s.noted = false
	if n = d.keep.dueLen(&s.stamps, nowNS); n > 0 {
		for _, x := range s.live()[:n] {
			d.drop(l, x.n)
		}
		s.remove(&d.x.pool, 0, n)
	}
	if s.len() > 0 {
		d.note(l, s)
	} else {
		d.x.Release(l)
	}
	return n
}
