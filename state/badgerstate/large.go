package badgerstate

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A stored value begins with a byte that says what follows.
const (
	whole    = 0 // the value
	inPieces = 1 // where its pieces are
)

// pieceBytes is the largest value kept whole. It is below Badger's value threshold and well below its largest transaction.
const pieceBytes = 256 << 10

// large knows the values in pieces, so that they can be deleted without reading first. They are few: each has a quarter of
// a mebibyte or more.
//
// Pieces have a key space of their own, which no Scan meets, and a number in it that is never used again.
type large struct {
	id     uint32 // 0: no value of the store was ever large
	last   uint64 // piece
	values map[string]pieces
}

// pieces are the numbers [first, end) and the bytes of the value together.
type pieces struct{ first, end, bytes uint64 }

func pieceKey(dst []byte, id uint32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, id), number)
}

func (s *store) putPieces(key, value []byte) error {
	l := &s.large
	if l.id == 0 {
		l.id, l.values = s.d.lastID.Add(1), map[string]pieces{}
	}
	p := pieces{first: l.last + 1, bytes: uint64(len(value))}
	for len(value) > 0 {
		l.last++
		n := min(len(value), pieceBytes)
		if err := s.writes.set(pieceKey(s.writes.room(idBytes+8), l.id, l.last), append(s.writes.room(n), value[:n]...)); err != nil {
			return err
		}
		value = value[n:]
		if err := s.writes.pace(); err != nil {
			return err
		}
	}
	p.end = l.last + 1
	l.values[string(key)] = p
	ref := append(s.writes.room(1+3*8), inPieces)
	for _, x := range []uint64{p.first, p.end, p.bytes} {
		ref = binary.BigEndian.AppendUint64(ref, x)
	}
	return s.writes.set(key, ref)
}

// dropPieces deletes the pieces of key's value, which is about to be replaced.
func (s *store) dropPieces(key []byte) error {
	p, ok := s.large.values[string(key)]
	if !ok {
		return nil
	}
	delete(s.large.values, string(key))
	for n := p.first; n < p.end; n++ {
		if err := s.writes.delete(pieceKey(s.writes.room(idBytes+8), s.large.id, n)); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) appendPieces(dst, ref []byte) ([]byte, error) {
	if len(ref) != 3*8 {
		return dst, fmt.Errorf("reference to a large value has %d bytes, want 24", len(ref))
	}
	p := pieces{binary.BigEndian.Uint64(ref), binary.BigEndian.Uint64(ref[8:]), binary.BigEndian.Uint64(ref[16:])}
	s.value = dst
	for n := p.first; n < p.end; n++ {
		item, err := s.read.Get(pieceKey(nil, s.large.id, n))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return dst, fmt.Errorf("piece %d of [%d, %d) of a large value is missing: restore from a checkpoint", n, p.first, p.end)
		}
		if err == nil {
			err = item.Value(s.take)
		}
		if err != nil {
			return dst, err
		}
	}
	if got := uint64(len(s.value) - len(dst)); got != p.bytes {
		return dst, fmt.Errorf("a large value has %d bytes, want %d: restore from a checkpoint", got, p.bytes)
	}
	return s.value, nil
}
