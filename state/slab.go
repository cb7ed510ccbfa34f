package state

const (
	chunkBits  = 10
	chunkLen   = 1 << chunkBits
	firstChunk = 16
)

// slab hands out entries by position. All chunks but the first stay where they are; the first grows from 16 entries to a
// full chunk by moving, so that an empty part costs nothing. Entries without pointers are never scanned by the collector.
type slab[E any] struct {
	first  []E      // chunks[0], beside the index's slots: most look-ups end here
	status []status // by position; as long as there is room for entries
	chunks [][]E
	n      uint32   // positions handed out, the freed ones included
	unused []uint32 // freed positions
}

func (s *slab[E]) at(p uint32) *E {
	if int(p) < len(s.first) {
		return &s.first[p]
	}
	return &s.chunks[p>>chunkBits][p&(chunkLen-1)]
}

// alloc gives a free position. Entry and status are as free left them.
func (s *slab[E]) alloc() (uint32, *E) {
	if n := len(s.unused); n > 0 {
		p := s.unused[n-1]
		s.unused = s.unused[:n-1]
		return p, s.at(p)
	}
	p := s.n
	s.n++
	if int(p) == s.room() {
		s.grow()
	}
	return p, s.at(p)
}

func (s *slab[E]) room() int {
	switch n := len(s.chunks); n {
	case 0:
		return 0
	case 1:
		return len(s.chunks[0])
	default:
		return n * chunkLen
	}
}

func (s *slab[E]) grow() {
	switch {
	case len(s.chunks) == 0:
		s.addFirst(firstChunk)
	case len(s.chunks[0]) < chunkLen:
		s.resizeFirst(2 * len(s.chunks[0]))
	default:
		s.chunks = append(s.chunks, make([]E, chunkLen))
	}
	s.noteRoom()
}

// noteRoom gives each position a status. Those there were move.
func (s *slab[E]) noteRoom() {
	s.status = append(s.status, make([]status, s.room()-len(s.status))...)
}

// resizeFirst gives the first and only chunk n entries.
func (s *slab[E]) resizeFirst(n int) {
	bigger := make([]E, n)
	copy(bigger, s.chunks[0])
	s.first, s.chunks[0] = bigger, bigger
}

func (s *slab[E]) addFirst(n int) {
	s.first = make([]E, n)
	s.chunks = append(s.chunks, s.first)
}

// reserve makes the first chunk large enough at once for n entries, or full.
func (s *slab[E]) reserve(n int) {
	size := firstChunk
	for size < n && size < chunkLen {
		size *= 2
	}
	switch {
	case len(s.chunks) == 0:
		s.addFirst(size)
	case len(s.chunks) == 1 && len(s.chunks[0]) < size:
		s.resizeFirst(size)
	}
	s.noteRoom()
}

func (s *slab[E]) free(p uint32) { s.unused = append(s.unused, p) }
