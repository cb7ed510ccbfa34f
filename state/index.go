package state

// index maps the high half of a hash to positions in a slab, by linear probing. A slot is tag<<32 | position+1, 0 is empty:
// growth and removal never touch an entry, and the collector has nothing to follow.
type index struct {
	slots []uint64
	mask  uint64
	n     int
}

// noSlots is the index of every empty part: it is always full, so nobody writes to it.
var noSlots = make([]uint64, 1)

const firstSlots = 8

// full says whether one more position needs growth first: at most five eighths of the slots are taken. Most keys are then found
// in the slot that their hash names, the one that a prefetch reads.
func (x *index) full() bool { return (x.n+1)*8 > len(x.slots)*5 }

// grow doubles the slots.
func (x *index) grow() { x.resize(max(firstSlots, 2*len(x.slots))) }

// reserve makes room for n positions in all.
func (x *index) reserve(n int) {
	size := max(firstSlots, len(x.slots))
	for n*8 > size*5 {
		size *= 2
	}
	if size > len(x.slots) {
		x.resize(size)
	}
}

func (x *index) resize(size int) {
	old := x.slots
	x.slots, x.mask = make([]uint64, size), uint64(size-1)
	for _, s := range old {
		if s != 0 {
			x.slots[x.free(s>>32)] = s
		}
	}
}

// free is the first empty slot for a tag.
func (x *index) free(tag uint64) uint64 {
	i := tag & x.mask
	for x.slots[i] != 0 {
		i = (i + 1) & x.mask
	}
	return i
}

// put fills empty slot i, which growth may replace by another one.
func (x *index) put(i, hash uint64, pos uint32) {
	if x.full() {
		x.grow()
		i = x.free(hash >> 32)
	}
	x.slots[i] = hash>>32<<32 | uint64(pos+1)
	x.n++
}

// slotOf is the slot that holds pos, which must be in the index under hash.
func (x *index) slotOf(hash uint64, pos uint32) uint64 {
	want := hash>>32<<32 | uint64(pos+1)
	i := hash >> 32 & x.mask
	for x.slots[i] != want {
		i = (i + 1) & x.mask
	}
	return i
}

// remove empties slot i and moves later slots of the run back over it, so that no tombstones pile up.
func (x *index) remove(i uint64) {
	x.n--
	for j := i; ; {
		j = (j + 1) & x.mask
		s := x.slots[j]
		if s == 0 {
			x.slots[i] = 0
			return
		}
		// s may move to i unless its home lies behind i, in (i, j].
		if home := s >> 32 & x.mask; (j-home)&x.mask >= (j-i)&x.mask {
			x.slots[i] = s
			i = j
		}
	}
}
