package state

import (
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/agenda"
)

// Side is the records that a join keeps of one input. The records of a key have positions, from 0 for the oldest; records of one
// time stand in the order they came in.
type Side[K comparable, V any] struct {
	x     *Sides[K]
	which int
	table *Table[uint64, kept[K, V]]
	keep  Keep
	due   agenda.Queue[uint64]
}

// kept is a record of a side.
type kept[K comparable, V any] struct {
	Key    K
	TimeNS int64
	Marked bool
	Value  V
}

func (kept[K, V]) wraps() {}

// NewSide makes one of the two sides, 0 or 1, under a name.
func NewSide[V any, K comparable](x *Sides[K], which int, name string, keep Keep) (*Side[K, V], error) {
	values, err := codec.Derive[kept[K, V]]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: value: %w", x.operator, name, err)
	}
	if err := checkName(x.operator, name); err != nil {
		return nil, err
	}
	numbers, err := recordKeying()
	if err != nil {
		return nil, err
	}
	table, err := newTable(x.s, x.operator, name, numbers, values)
	if err != nil {
		return nil, err
	}
	var before func(a, b uint64) bool
	if keep.Ordered {
		before = func(a, b uint64) bool { return a < b }
	}
	d := &Side[K, V]{x: x, which: which, table: table, keep: keep, due: agenda.New(max(keep.Span, keep.For), before)}
	x.rebuilds = append(x.rebuilds, d.rebuild)
	return d, nil
}

func (d *Side[K, V]) of(l Line) *lineSide { return &d.x.line(l).sides[d.which] }

// Add keeps a record.
func (d *Side[K, V]) Add(l Line, timeNS int64, v V, marked bool) {
	e := d.x.line(l)
	s := &e.sides[d.which]
	r, n := d.make(l.at.part(), e.hash)
	s.add(&d.x.pool, stamp{timeNS, n})
	r.Key, r.TimeNS, r.Marked, r.Value = e.key, timeNS, marked, v
	d.note(l, s)
}

// note sees to it that the calendar has a cell for the line no later than its first record is due.
func (d *Side[K, V]) note(l Line, s *lineSide) {
	due, ok := d.keep.due(&s.stamps)
	if !ok || s.noted && s.cellNS <= due {
		return
	}
	s.noted, s.cellNS = true, due
	d.due.Push(due, uint64(l.at))
}

// Len is the number of records of the key.
func (d *Side[K, V]) Len(l Line) int { return d.of(l).len() }

// Between is the positions of the records with fromNS <= time <= toNS, the second behind the last.
func (d *Side[K, V]) Between(l Line, fromNS, toNS int64) (i, j int) {
	s := d.of(l)
	if s.len() == 0 {
		return 0, 0
	}
	i, j = s.before(fromNS), s.after(toNS)
	return i, max(i, j)
}

// TimeNS is the time of the record at position i.
func (d *Side[K, V]) TimeNS(l Line, i int) int64 { return d.of(l).live()[i].timeNS }

// Get is the record at position i, for reading, and whether it is marked. The pointer is good until the next call on this side.
func (d *Side[K, V]) Get(l Line, i int) (v *V, marked bool) {
	r := d.read(l, d.of(l).live()[i].n)
	return &r.Value, r.Marked
}

// Mark marks the record at position i.
func (d *Side[K, V]) Mark(l Line, i int) { d.write(l, d.of(l).live()[i].n).Marked = true }

// Remove forgets the records at the positions [i, j). The line stays until Release.
func (d *Side[K, V]) Remove(l Line, i, j int) {
	s := d.of(l)
	for _, at := range s.live()[i:j] {
		d.drop(l, at.n)
	}
	s.remove(&d.x.pool, i, j)
}

// Due is the line of the record that is due first, at nowNS at the latest, of a side that is ordered. The caller removes that record,
// which is its line's first, calls Done, and asks again.
func (d *Side[K, V]) Due(nowNS int64) (l Line, ok bool) {
	for {
		c, ok := d.due.Pop(nowNS)
		if !ok {
			return Line{}, false
		}
		l := d.x.lineAt(place(c.Node))
		s := d.of(l)
		if !s.noted || s.cellNS != c.DueNS {
			continue // an earlier cell has been here
		}
		s.noted = false
		if due, ok := d.keep.due(&s.stamps); ok && due <= nowNS && due == c.DueNS {
			return l, true
		}
		d.note(l, s) // the first record then has been removed
	}
}

// Done ends the visit of a line that Due gave.
func (d *Side[K, V]) Done(l Line) {
	if s := d.of(l); s.len() > 0 {
		d.note(l, s)
		return
	}
	d.x.Release(l)
}

// NextNS is a time before which Due and Forget find nothing; math.MaxInt64 when there is nothing.
func (d *Side[K, V]) NextNS() int64 { return d.due.NextNS() }

// DueNS is the time of what Due gives next at nowNS, and about that of what Forget drops.
func (d *Side[K, V]) DueNS(nowNS int64) int64 {
	return d.due.FirstNS(nowNS)
}

// Records is the number of records kept.
func (d *Side[K, V]) Records() int { return d.table.Len() }
