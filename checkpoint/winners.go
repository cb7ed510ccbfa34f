package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"

	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/planted"
)

// winners finds the newest entry of each key among the entries of one key group of one state. It is used again for the
// next. The hash is seeded per process, so nobody can choose keys that collide; what is emitted, and in which order, does not
// depend on it.
type winners struct {
	dropDeleted bool
	seed        maphash.Seed
	data        []byte  // all entries, oldest first
	entries     []entry // of data, in order
	index       []uint64
	out         []byte // scratch of emit
}

// entry is one entry within data.
type entry struct {
	at      int
	size    uint32 // a block has less than 4 GB
	keyLen  uint32
	keyAt   uint8 // behind at: the key's length takes a few bytes
	deleted bool
	beaten  bool // a later entry has the key
}

func newWinners(dropDeleted bool) *winners {
	return &winners{dropDeleted: dropDeleted, seed: maphash.MakeSeed()}
}

func (w *winners) reset() { w.data, w.entries = w.data[:0], w.entries[:0] }

// add appends a copy of a block's entries, newer than all before.
func (w *winners) add(count int, data []byte) error {
	at := len(w.data)
	w.data = append(w.data, data...)
	n := 0
	for rest := w.data[at:]; len(rest) > 0; n++ {
		key, _, deleted, after, err := delta.Next(rest)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		w.entries = append(w.entries, entry{
			at: at, size: uint32(len(rest) - len(after)), keyLen: uint32(len(key)),
			keyAt: keyOffset(rest, deleted), deleted: deleted,
		})
		at += len(rest) - len(after)
		rest = after
	}
	if n != count {
		return fmt.Errorf("%w: %d entries, the block says %d", ErrDamaged, n, count)
	}
	return nil
}

// keyOffset is where the key begins in an entry that delta.Next accepted. It looks, as the same length can be written in more
// than one way.
func keyOffset(e []byte, deleted bool) uint8 {
	_, n := binary.Uvarint(e)
	if deleted {
		_, m := binary.Uvarint(e[n:])
		n += m
	}
	return uint8(n)
}

func (w *winners) key(e *entry) []byte {
	at := e.at + int(e.keyAt)
	return w.data[at : at+int(e.keyLen)]
}

// decide marks the entries that a later one beats. A place of the index holds the number of an entry + 1 in its low half
// and the high half of its key's hash.
func (w *winners) decide() {
	size := 1 << bits.Len(uint(2*len(w.entries)))
	if cap(w.index) < size {
		w.index = make([]uint64, size)
	}
	w.index = w.index[:size]
	clear(w.index)
	mask := uint64(size - 1)
	for i := range w.entries {
		e := &w.entries[i]
		key := w.key(e)
		h := maphash.Bytes(w.seed, key)
		tag := h &^ (1<<32 - 1)
		for at := h & mask; ; at = (at + 1) & mask {
			slot := w.index[at]
			if slot == 0 {
				w.index[at] = tag | uint64(i+1)
				break
			}
			if slot&^(1<<32-1) != tag {
				continue
			}
			if old := &w.entries[uint32(slot)-1]; bytes.Equal(w.key(old), key) {
				old.beaten = true
				if planted.On("fold-keeps-the-oldest") {
					old.beaten, e.beaten = false, true
					break
				}
				w.index[at] = tag | uint64(i+1)
				break
			}
		}
	}
}

// emit hands over the newest entry of each key, in blocks.
func (w *winners) emit(block func(count int, data []byte) error) error {
	w.decide()
	count := 0
	w.out = w.out[:0]
	for i := range w.entries {
		e := &w.entries[i]
		if e.beaten || e.deleted && w.dropDeleted {
			continue
		}
		w.out = append(w.out, w.data[e.at:e.at+int(e.size)]...)
		if count++; len(w.out) >= foldBlockBytes {
			if err := block(count, w.out); err != nil {
				return err
			}
			count, w.out = 0, w.out[:0]
		}
	}
	if count == 0 {
		return nil
	}
	return block(count, w.out)
}
