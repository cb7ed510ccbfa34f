package state

// prefetchFrom is how many entries a table has that is prefetched: a smaller one stays in a processor's own cache.
const prefetchFrom = 1 << 12

// prefetched is a state in memory.
type prefetched interface {
	prefetch(hashes []uint64)
	// byRecord says whether entries are found by the hash of the record's key.
	byRecord() bool
}

// Prefetcher makes a function that reads, for the hashes of some records to come, what look-ups in operator's states will read
// first. None of these reads waits for another one, as look-ups do, so that the processor waits once for many. It changes nothing,
// and is nil when no state is found by the hash of a record's key. The task's loop calls it, with hashes of the store's key
// groups, when all states have been made.
func (s *Store) Prefetcher(operator string) func(hashes []uint64) {
	var all []prefetched
	for _, t := range s.states {
		if id, _ := t.id(); id != operator {
			continue
		}
		if p, ok := t.(prefetched); ok && p.byRecord() {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(hashes []uint64) {
		for _, p := range all {
			p.prefetch(hashes)
		}
	}
}

func (t *plain[K, V]) prefetch(hashes []uint64) { t.readAhead(hashes) }
func (t *plain[K, V]) byRecord() bool           { return t.keys.byRecord }
func (t *keyed[K, V]) prefetch(hashes []uint64) { t.readAhead(hashes) }
func (t *keyed[K, V]) byRecord() bool           { return t.keys.byRecord }

// readAhead reads slot, status and entry of each hash. Where keys share a slot it may read the entry of another one.
func (c *core[R, V]) readAhead(hashes []uint64) {
	if c.n < prefetchFrom {
		return
	}
	read := uint8(0)
	for _, h := range hashes {
		p := &c.parts[c.partOf(h)]
		if s := p.ix.slots[h>>32&p.ix.mask]; s != 0 {
			read += p.touch(uint32(s) - 1)
		}
	}
	c.ahead = read
}

// readPlaces reads status and entry of each place.
func (c *core[R, V]) readPlaces(all []place) {
	read := uint8(0)
	for _, at := range all {
		read += c.parts[at.part()].touch(at.pos())
	}
	c.ahead = read
}

// touch makes a number of the status and the entry at pos, so that both have to be read.
func (p *part[R, V]) touch(pos uint32) uint8 {
	var none R
	n := p.sl.status[pos].epoch
	if p.sl.at(pos).key == none {
		n++
	}
	return n
}
