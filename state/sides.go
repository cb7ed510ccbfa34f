package state

import (
	"fmt"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// Sides finds the records that a join keeps of its two inputs: by key, and for each key and side in the order of their times. The
// records are entries of tables, one each, so a snapshot has what was added and removed and no more. What finds them is derived
// from them, rebuilt after a restore, and in memory also when the store has byte stores: a line for each key, 16 bytes for each
// record, and a cell of a calendar for each key and side, which says when the oldest record may be let go. So no record has a
// timer, and records go in the order of time at the cost of one append for each key that has any.
//
// The task's loop alone calls it, and its Side handles.
type Sides[K comparable] struct {
	s        *Store
	operator string
	keys     keying[K]
	lines    *Table[K, line[K]] // derived: in no snapshot
	idle     []int              // lines of each part without records, see Release
	next     []uint64           // number of the next record of each part; those of a key group are numbered whoever owns it
	pool     stampPool
	rebuilds []func() error
}

// line is a key with its records on both sides.
type line[K comparable] struct {
	key   K
	hash  uint64
	idle  bool // it has no records and is counted so
	sides [2]lineSide
}

func (e *line[K]) empty() bool { return e.sides[0].len() == 0 && e.sides[1].len() == 0 }

type lineSide struct {
	stamps
	cellNS int64 // the cell of the calendar that stands for it
	noted  bool  // there is one
}

// Line is a key's place in a Sides, good until At or Due give the next one.
type Line struct {
	at place
	in unsafe.Pointer // the line[K]
}

// NewSides makes the index of the sides of operator.
func NewSides[K comparable](s *Store, operator string) (*Sides[K], error) {
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: key: %w", operator, err)
	}
	x := &Sides[K]{s: s, operator: operator, keys: keys, next: make([]uint64, s.o.Groups.Len()), idle: make([]int, s.o.Groups.Len())}
	lines := newCore(s, operator, "lines", keys.untyped(), unwritten[line[K]]("", true))
	lines.volatile, lines.whole = true, true
	s.derived = append(s.derived, lines)
	x.lines = &Table[K, line[K]]{in: cells{mem: lines}, keys: keys}
	s.restores = append(s.restores, x.rebuild)
	return x, nil
}

func (x *Sides[K]) line(l Line) *line[K] { return (*line[K])(l.in) }

func (x *Sides[K]) lineAt(at place) Line { return Line{at, x.lines.in.mem.valueAt(at)} }

// At is the line of a key, made if there is none. It must get a record, or be given back by Release.
func (x *Sides[K]) At(hash uint64, key K) Line {
	v, at, fresh := placeIn(x.lines, hash, key)
	if fresh {
		v.key, v.hash = key, hash
	} else if v.idle {
		v.idle = false
		x.idle[at.part()]--
	}
	return Line{at, unsafe.Pointer(v)}
}

// Release gives the line back if it has no records. Keys come again and again, so it stays until most lines of its part are idle.
func (x *Sides[K]) Release(l Line) {
	e, g := x.line(l), l.at.part()
	if e.idle || !e.empty() {
		return
	}
	e.idle = true
	if x.idle[g]++; x.idle[g] > idleMin && 2*x.idle[g] > int(x.lines.in.mem.parts[g].sl.n) {
		x.sweep(g)
	}
}

// idleMin is how many idle lines a part may have whatever it holds.
const idleMin = 16

// sweep forgets the idle lines of a part. It looks at less than twice as many as have become idle since the last time.
func (x *Sides[K]) sweep(g int) {
	m := x.lines.in.mem
	p := &m.parts[g]
	for pos := range p.sl.n {
		if p.sl.status[pos].marks&markLive == 0 {
			continue
		}
		e := (*line[K])(p.sl.at(pos).value())
		if !e.idle {
			continue
		}
		x.pool.put(e.sides[0].buf)
		x.pool.put(e.sides[1].buf)
		m.release(g, p.ix.slotOf(e.hash, pos), pos)
	}
	x.idle[g] = 0
}

// Key is the line's key with its hash.
func (x *Sides[K]) Key(l Line) (K, uint64) {
	e := x.line(l)
	return e.key, e.hash
}

func (x *Sides[K]) rebuild() error {
	for _, f := range x.rebuilds {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// recordKeying names a record by its number and the low half of its key's hash, of which 16 bits suffice for any key group. Numbers
// follow one another, and so do the places in a table's index.
func recordKeying() (keying[uint64], error) {
	numbers, err := codec.KeyOf[uint64]()
	if err != nil {
		return keying[uint64]{}, err
	}
	return keying[uint64]{
		form: codec.KeyPlain, schema: numbers.Schema(), hash: recordHash, word: true,
		append: numbers.Append, decode: numbers.Decode, compare: numbers.Compare,
	}, nil
}

func recordID(n, keyHash uint64) uint64 { return n<<16 | keyHash&0xffff }
func recordHash(id uint64) uint64       { return id>>16<<32 | id&0xffff }

var _ [1<<16 - flow.MaxKeyGroups]struct{} // recordID keeps enough of a hash
