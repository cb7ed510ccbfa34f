package state

import "unsafe"

const (
	chunkBits  = 10
	chunkLen   = 1 << chunkBits
	firstChunk = 16
)

// slab hands out entries by position. All chunks but the first stay where they are; the first grows from 16 entries to a
// full chunk by moving, so that an empty part costs nothing. Entries without pointers are never scanned by the collector.
type slab struct {
	first    unsafe.Pointer // chunks[0], beside the index's slots: most look-ups end here
	firstLen uint32         // entries in it
	stride   uint32         // bytes from one entry to the next
	status   []status       // by position; as long as there is room for entries
	chunks   []unsafe.Pointer
	n        uint32   // positions handed out, the freed ones included
	unused   []uint32 // freed positions
}

func (s *slab) at(p uint32) *entry {
	if p < s.firstLen {
		return (*entry)(unsafe.Add(s.first, uintptr(p)*uintptr(s.stride)))
	}
	return (*entry)(unsafe.Add(s.chunks[p>>chunkBits], uintptr(p&(chunkLen-1))*uintptr(s.stride)))
}

// alloc gives a free position. Entry and status are as free left them.
func (s *slab) alloc(sh *shape) (uint32, *entry) {
	if n := len(s.unused); n > 0 {
		p := s.unused[n-1]
		s.unused = s.unused[:n-1]
		return p, s.at(p)
	}
	p := s.n
	s.n++
	if int(p) == s.room() {
		s.grow(sh)
	}
	return p, s.at(p)
}

func (s *slab) room() int {
	if n := len(s.chunks); n > 1 {
		return n * chunkLen
	}
	return int(s.firstLen)
}

func (s *slab) grow(sh *shape) {
	if s.firstLen < chunkLen {
		s.resizeFirst(sh, max(firstChunk, 2*int(s.firstLen)))
	} else {
		s.chunks = append(s.chunks, sh.entries(chunkLen))
	}
	s.noteRoom()
}

// noteRoom gives each position a status. Those there were move.
func (s *slab) noteRoom() {
	s.status = append(s.status, make([]status, s.room()-len(s.status))...)
}

// resizeFirst gives the first and only chunk, which there need not be, n entries.
func (s *slab) resizeFirst(sh *shape, n int) {
	bigger := sh.entries(n)
	if s.firstLen == 0 {
		s.stride = uint32(sh.stride())
		s.chunks = append(s.chunks, nil)
	} else {
		sh.move(bigger, s.first, int(s.firstLen))
	}
	s.first, s.firstLen, s.chunks[0] = bigger, uint32(n), bigger
}

// reserve makes the first chunk large enough at once for n entries, or full.
func (s *slab) reserve(sh *shape, n int) {
	size := firstChunk
	for size < n && size < chunkLen {
		size *= 2
	}
	if len(s.chunks) <= 1 && int(s.firstLen) < size {
		s.resizeFirst(sh, size)
	}
	s.noteRoom()
}

func (s *slab) free(p uint32) { s.unused = append(s.unused, p) }
