package state

import "unsafe"

// prefetchFrom is how many entries a table has that is prefetched: a smaller one stays in a processor's own cache.
const prefetchFrom = 1 << 12

// Prefetcher makes a function that reads, for the hashes of some records to come, what look-ups in operator's states will read
// first, and of each value the bytes at offsets at, those beyond its end left out. None of these reads waits for another one, as look-ups do, so that the processor waits once for many. It changes nothing,
// and is nil when no state is found by the hash of a record's key. The task's loop calls it, with hashes of the store's key
// groups, when all states have been made.
func (s *Store) Prefetcher(operator string) func(hashes []uint64, at []uintptr) {
	var all []*core
	for _, t := range s.states {
		if c, ok := t.(*core); ok && c.operator == operator && c.keys.byRecord {
			all = append(all, c)
		}
	}
	for _, c := range s.derived {
		if c.operator == operator && c.keys.byRecord {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(hashes []uint64, at []uintptr) {
		for _, c := range all {
			c.readAhead(hashes, at)
		}
	}
}

// readAhead reads slot, status and entry of each hash. Where keys share a slot it may read the entry of another one.
func (c *core) readAhead(hashes []uint64, at []uintptr) {
	if c.n < prefetchFrom {
		return
	}
	read := uint8(0)
	for _, h := range hashes {
		p := &c.parts[c.partOf(h)]
		if s := p.ix.slots[h>>32&p.ix.mask]; s != 0 {
			read += p.touch(uint32(s) - 1)
			if c.whole {
				read += p.touchRest(uint32(s) - 1)
			}
			if len(at) > 0 {
				read += p.touchValue(uint32(s)-1, at)
			}
		}
	}
	c.ahead = read
}

// readPlaces reads status and entry of each place.
func (c *core) readPlaces(all []place) {
	read := uint8(0)
	for _, at := range all {
		read += c.parts[at.part()].touch(at.pos())
	}
	c.ahead = read
}

// touch makes a number of the status and the entry at pos, so that both have to be read.
func (p *part) touch(pos uint32) uint8 {
	n := p.sl.status[pos].epoch
	if p.sl.at(pos).key == (arenaKey{}) {
		n++
	}
	return n
}

// touchRest is touch for the further cache lines of a large entry, a few of them.
func (p *part) touchRest(pos uint32) (n uint8) {
	e := unsafe.Pointer(p.sl.at(pos))
	for at := uint32(lineBytes); at < min(p.sl.stride, linesAhead*lineBytes); at += lineBytes {
		n += *(*uint8)(unsafe.Add(e, at))
	}
	return n
}

const (
	lineBytes  = 64 // of a cache line
	linesAhead = 4
)

// touchValue is touch for the bytes of the value at pos that are at offsets at.
func (p *part) touchValue(pos uint32, at []uintptr) (n uint8) {
	v := p.sl.at(pos).value()
	for _, offset := range at {
		if offset < uintptr(p.sl.stride)-valueOffset {
			n += *(*uint8)(unsafe.Add(v, offset))
		}
	}
	return n
}
