package state

import "unsafe"

const (
	firstArena = 256
	arenaLen   = 32 << 10 // chunks double up to this; a longer key gets a chunk of its own

	compactFrom = 4 << 10 // dead bytes below this are let be: churn of few keys must not allocate all the time

	lengthBits = 24
	offsetBits = 16
	keyLenMax  = 1<<lengthBits - 1
)

// arena keeps key bytes where the collector does not look. A ref is chunk<<40 | offset<<24 | length. Bytes are never
// overwritten: a view of them is good for as long as somebody holds it, also after a compaction.
type arena struct {
	chunks [][]byte
	first  int // size of the first chunk
	used   int // of the last chunk
	live   int // bytes of keys that are referred to
	dead   int // bytes of keys that are not
	size   int // bytes of all chunks
}

// put copies k in. The caller has checked that it is not longer than keyLenMax.
func (a *arena) put(k string) uint64 {
	last := len(a.chunks) - 1
	if last < 0 || a.used+len(k) > len(a.chunks[last]) {
		a.add(len(k))
		last++
	}
	copy(a.chunks[last][a.used:], k)
	ref := uint64(last)<<(offsetBits+lengthBits) | uint64(a.used)<<lengthBits | uint64(len(k))
	a.used += len(k)
	a.live += len(k)
	return ref
}

func (a *arena) add(need int) {
	size := max(firstArena, a.first)
	if n := len(a.chunks); n > 0 {
		size = min(arenaLen, max(size, 2*len(a.chunks[n-1])))
	}
	a.chunks = append(a.chunks, make([]byte, max(size, need)))
	a.used = 0
	a.size += max(size, need)
}

// get is a view of the key.
func (a *arena) get(ref uint64) string {
	n := int(ref & keyLenMax)
	if n == 0 {
		return ""
	}
	return unsafe.String(&a.chunks[ref>>(offsetBits+lengthBits)][ref>>lengthBits&(1<<offsetBits-1)], n)
}

// empty is the arena to begin a compaction of a with: it expects to grow as a did.
func (a *arena) empty() arena {
	return arena{first: min(compactFrom, len(a.chunks[len(a.chunks)-1]))}
}

// drop counts the key of ref as dead and says whether it is time for a compaction: more than half is.
func (a *arena) drop(ref uint64) (compact bool) {
	n := int(ref & keyLenMax)
	a.live -= n
	a.dead += n
	return a.dead > a.live && a.dead >= compactFrom
}

// bytesOf views a string as bytes, which must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringOf views bytes as a string, which is good until they are written.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
