package state

import "math/bits"

// stamp is where a record of a side is: its time, and what names it in its key group, see Side.
type stamp struct {
	timeNS int64
	n      uint64
}

// stamps are the records of a key in the order of their times, those of one time in the order they came in. Most come in order
// and are appended; most go from the front. One that comes out of order moves those of its key that are newer: a copy of 16 bytes
// for each, so that 10,000 newer ones cost a few microseconds, and are rare, since the watermark bounds the disorder.
type stamps struct {
	buf  []stamp // up to the newest
	head int     // of the oldest
}

func (s *stamps) live() []stamp { return s.buf[s.head:] }
func (s *stamps) len() int      { return len(s.buf) - s.head }

// after is how many are not newer than timeNS: where a record of that time goes.
func (s *stamps) after(timeNS int64) int {
	all := s.live()
	lo, hi := 0, len(all)
	if hi > 0 && all[hi-1].timeNS <= timeNS {
		return hi
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); all[mid].timeNS <= timeNS {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// before is how many are older than timeNS.
func (s *stamps) before(timeNS int64) int {
	all := s.live()
	lo, hi := 0, len(all)
	if hi > 0 && all[0].timeNS >= timeNS {
		return 0
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); all[mid].timeNS < timeNS {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// add puts a record in its place.
func (s *stamps) add(p *stampPool, x stamp) {
	if len(s.buf) == cap(s.buf) {
		s.makeRoom(p)
	}
	i := s.head + s.after(x.timeNS)
	s.buf = append(s.buf, x)
	if last := len(s.buf) - 1; i < last {
		copy(s.buf[i+1:], s.buf[i:last])
		s.buf[i] = x
	}
}

// makeRoom moves the stamps down when half of the buffer is free, else into one of twice the size.
func (s *stamps) makeRoom(p *stampPool) {
	if s.head > 0 && 2*s.head >= len(s.buf) {
		n := copy(s.buf, s.live())
		s.buf, s.head = s.buf[:n], 0
		return
	}
	s.move(p, max(stampsMin, 2*s.len()))
}

// remove takes out [i, j). Little left in a large buffer moves into a small one.
func (s *stamps) remove(p *stampPool, i, j int) {
	switch n := s.len(); {
	case j-i == n && cap(s.buf) <= stampsMin: // stays for the next record of the key
		s.buf, s.head = s.buf[:0], 0
		return
	case j-i == n:
		p.put(s.buf)
		s.buf, s.head = nil, 0
		return
	case i == 0:
		s.head += j
	default:
		s.buf = append(s.buf[:s.head+i], s.buf[s.head+j:]...)
	}
	if cap(s.buf) > stampsMin && 8*s.len() <= cap(s.buf) {
		s.move(p, max(stampsMin, 2*s.len()))
	}
}

func (s *stamps) move(p *stampPool, size int) {
	buf := append(p.get(size), s.live()...)
	p.put(s.buf)
	s.buf, s.head = buf, 0
}

const (
	stampsMin   = 2    // the smallest buffer: many keys have a record or two
	stampsChunk = 1024 // small buffers are cut from chunks of so many stamps
)

// stampPool keeps buffers of sizes that are powers of two, so that keys that come and go allocate nothing.
type stampPool struct {
	free  [64][][]stamp // by the logarithm of the size
	chunk []stamp
}

func (p *stampPool) get(size int) []stamp {
	class := bits.Len(uint(size - 1))
	if n := len(p.free[class]); n > 0 {
		b := p.free[class][n-1]
		p.free[class] = p.free[class][:n-1]
		return b
	}
	size = 1 << class
	if size > stampsChunk/8 {
		return make([]stamp, 0, size)
	}
	if len(p.chunk) < size {
		p.chunk = make([]stamp, stampsChunk)
	}
	b := p.chunk[:0:size]
	p.chunk = p.chunk[size:]
	return b
}

// stampsKept bounds the size of a buffer that is kept for later.
const stampsKept = 1 << 16

func (p *stampPool) put(b []stamp) {
	if c := cap(b); 0 < c && c <= stampsKept {
		class := bits.Len(uint(c - 1))
		p.free[class] = append(p.free[class], b[:0])
	}
}
