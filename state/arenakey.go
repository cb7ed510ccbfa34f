package state

import "encoding/binary"

// arenaKey is the key of an entry. Of a table of numbers it is the number, in lo. Of any other table it is the key's canonical
// bytes: short ones stand in the entry itself, so that a look-up touches no memory but the entry's: lo and the low bytes of hi
// hold up to inlineMax bytes, the top byte of hi their number. Of longer ones lo is the place in the arena and hi the hash, with
// farBit set.
type arenaKey struct{ lo, hi uint64 }

const (
	inlineMax = 15
	farBit    = 1 << 63
	noRef     = ^uint64(0) // no place in any arena
)

// inlineKey packs a key of at most inlineMax bytes. Equal words are equal keys. Reads of four and eight bytes overlap where the
// length is between.
func inlineKey(k string) arenaKey {
	b := bytesOf(k)
	size := uint64(len(b)) << 56
	switch n := len(b); {
	case n >= 8:
		return arenaKey{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])>>(8*(16-n)) | size}
	case n >= 4:
		return arenaKey{uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4)), size}
	case n > 0:
		return arenaKey{uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1)), size}
	}
	return arenaKey{}
}

// far says that the key stands in the arena.
func (k arenaKey) far() bool { return k.hi&farBit != 0 }

// ref is the place in the arena of a far key.
func (k arenaKey) ref() uint64 { return k.lo }

func (k arenaKey) len() int {
	if k.far() {
		return int(k.lo & keyLenMax)
	}
	return int(k.hi >> 56)
}

// bytes views a far key, or appends one that stands in its entry to buf.
func (k arenaKey) bytes(a *arena, buf []byte) []byte {
	if k.far() {
		return bytesOf(a.get(k.lo))
	}
	buf = binary.LittleEndian.AppendUint64(buf, k.lo)
	buf = binary.LittleEndian.AppendUint64(buf, k.hi)
	return buf[:len(buf)-16+int(k.hi>>56)]
}
