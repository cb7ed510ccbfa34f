package state

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/delta"
)

// A stamp names its record by n: in memory that is the record's position in its part of the table, which is the line's part too, so
// that no record is searched for; in front of a byte store it is the record's number.

// make makes the entry of a new record of a key with a hash.
func (d *Side[K, V]) make(part int, keyHash uint64) (r *kept[K, V], n uint64) {
	next := &d.x.next[part]
	id := recordID(*next, keyHash)
	*next++
	if m := d.table.in.mem; m != nil {
		pos, e := m.appendLoose(part, wordKey(id))
		return (*kept[K, V])(e.value()), uint64(pos)
	}
	return d.table.At(recordHash(id), id), id >> 16
}

// read is a record for reading.
func (d *Side[K, V]) read(l Line, n uint64) *kept[K, V] {
	if m := d.table.in.mem; m != nil {
		return (*kept[K, V])(m.read(l.at.part(), uint32(n)))
	}
	id := recordID(n, d.x.line(l).hash)
	r, ok := d.table.Get(recordHash(id), id)
	if !ok {
		fail("operator %q: record %d of a side is missing: %w", d.x.operator, n, codec.ErrDamaged)
	}
	return r
}

// write is a record for writing.
func (d *Side[K, V]) write(l Line, n uint64) *kept[K, V] {
	if m := d.table.in.mem; m != nil {
		return (*kept[K, V])(m.write(l.at.part(), uint32(n)))
	}
	id := recordID(n, d.x.line(l).hash)
	return d.table.At(recordHash(id), id)
}

func (d *Side[K, V]) drop(l Line, n uint64) {
	if m := d.table.in.mem; m != nil {
		m.removeLoose(l.at.part(), uint32(n))
		return
	}
	id := recordID(n, d.x.line(l).hash)
	d.table.Delete(recordHash(id), id)
}

// number is the number of a record, by which those of one time are ordered.
func (d *Side[K, V]) number(part int, n uint64) uint64 {
	if m := d.table.in.mem; m != nil {
		return m.parts[part].sl.at(uint32(n)).key.lo >> 16
	}
	return n
}

// each calls f with the records, in any order, for reading.
func (d *Side[K, V]) each(f func(id, n uint64, r *kept[K, V])) {
	if m := d.table.in.mem; m != nil {
		m.eachPlace(func(at place, v unsafe.Pointer) {
			f(m.parts[at.part()].sl.at(at.pos()).key.lo, uint64(at.pos()), (*kept[K, V])(v))
		})
		return
	}
	var cur Cursor
	for d.table.Scan(&cur, 1<<20, func(id uint64, r *kept[K, V]) { f(id, id>>16, r) }) {
	}
}

// rebuild makes the index out of the table.
func (d *Side[K, V]) rebuild() error {
	if m := d.table.in.mem; m != nil {
		m.loosen()
	}
	var bad error
	lines := map[place]bool{}
	d.each(func(id, n uint64, r *kept[K, V]) {
		hash := d.x.keys.hash(r.Key)
		if hash&0xffff != id&0xffff {
			bad = fmt.Errorf("restore %s: record %d does not belong to its key: %w", d.table.in.describe(), id>>16, delta.ErrDamaged)
			return
		}
		l := d.x.At(hash, r.Key)
		next, s := &d.x.next[l.at.part()], d.of(l)
		if len(s.buf) == cap(s.buf) {
			s.makeRoom(&d.x.pool)
		}
		s.buf = append(s.buf, stamp{r.TimeNS, n})
		*next = max(*next, id>>16+1)
		lines[l.at] = true
	})
	for at := range lines { // in any order: the calendar has an order of its own
		l := d.x.lineAt(at)
		s, part := d.of(l), at.part()
		slices.SortFunc(s.live(), func(a, b stamp) int {
			return cmp.Or(cmp.Compare(a.timeNS, b.timeNS), cmp.Compare(d.number(part, a.n), d.number(part, b.n)))
		})
		d.note(l, s)
	}
	return bad
}
