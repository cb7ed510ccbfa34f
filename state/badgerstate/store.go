package badgerstate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

const (
	idBytes     = 4           // the number of a key space, big endian, begins each of its keys
	prefixBytes = idBytes + 2 // the key group, big endian, follows
)

// store is the working store of one state. Only the task's loop calls it.
type store struct {
	d      *DB
	where  string // for errors
	id     uint32
	read   *badger.Txn // sees every commit, so it serves all reads
	writes writer
	large  large

	key   []byte // scratch
	value []byte // the destination of take
	take  func(v []byte) error
}

func newStore(d *DB, where string) *store {
	s := &store{d: d, where: where, id: d.lastID.Add(1), read: d.badger.NewTransactionAt(latest, false)}
	s.writes = writer{d: d, results: make(chan error, inFlightMax)}
	s.take = func(v []byte) error {
		s.value = append(s.value, v...)
		return nil
	}
	return s
}

func appendKey(dst []byte, id uint32, group flow.KeyGroup, key []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint16(dst, uint16(group))
	return append(dst, key...)
}

// Get implements state.ByteStore.
func (s *store) Get(group flow.KeyGroup, key, dst []byte) (value []byte, ok bool, err error) {
	defer s.end(&err)
	if err := s.writes.settle(); err != nil {
		return dst, false, err
	}
	if len(key) > keyBytesMax {
		return s.getLong(group, key, dst)
	}
	return s.get(group, key, dst)
}

func (s *store) get(group flow.KeyGroup, key, dst []byte) (value []byte, ok bool, err error) {
	s.key = appendKey(s.key[:0], s.id, group, key)
	item, err := s.read.Get(s.key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, err
	}
	value, err = s.appendValue(dst, item)
	return value, err == nil, err
}

// Scan implements state.ByteStore.
func (s *store) Scan(group flow.KeyGroup, after []byte, f func(key, value []byte) bool) (err error) {
	defer s.end(&err)
	if err := s.writes.settle(); err != nil {
		return err
	}
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false // they are in the tree, beside the keys
	o.Prefix = appendKey(nil, s.id, group, nil)
	after = bytes.Clone(after) // f may reuse the caller's slice for the key it has seen
	from := after
	if len(after) > keyBytesMax {
		from, _ = bundleOf(nil, after)
	}
	it := s.read.NewIterator(o)
	defer it.Close()
	var value []byte
	for it.Seek(appendKey(nil, s.id, group, from)); it.Valid(); it.Next() {
		key := it.Item().Key()[prefixBytes:]
		if after != nil && !isBundle(key) && bytes.Equal(key, after) {
			continue
		}
		if value, err = s.appendValue(value[:0], it.Item()); err != nil {
			return err
		}
		more := false
		if isBundle(key) {
			more, err = s.scanLong(key, value, after, f)
		} else {
			more = f(key, value)
		}
		if !more {
			return err
		}
	}
	return nil
}

// appendValue appends the value of an item, put together when it is in pieces.
func (s *store) appendValue(dst []byte, item *badger.Item) ([]byte, error) {
	s.value = dst
	err := item.Value(s.take)
	stored := s.value[len(dst):]
	if err == nil && len(stored) == 0 {
		err = fmt.Errorf("the stored value of key %q has no first byte", item.Key())
	}
	if err != nil {
		return dst, err
	}
	if stored[0] == inPieces {
		return s.appendPieces(dst, stored[1:])
	}
	copy(stored, stored[1:])
	return s.value[:len(s.value)-1], nil
}

// Write implements state.ByteStore. Its entries may still be on their way when it returns; the next access waits for them,
// and gives the error of a write that failed.
func (s *store) Write(batch []state.Write) (err error) {
	defer s.end(&err)
	n := int64(0)
	for i := range batch {
		n += int64(len(batch[i].Key) + len(batch[i].Value))
	}
	if err := s.d.space.take(n); err != nil {
		return err
	}
	for i := range batch {
		w := &batch[i]
		write := s.put
		if len(w.Key) > keyBytesMax {
			write = s.putLong
		}
		if err := write(w.Group, w.Key, w.Value, w.Delete); err != nil {
			return err
		}
	}
	return s.writes.pace()
}

func (s *store) put(group flow.KeyGroup, key, value []byte, deleted bool) error {
	key = appendKey(s.writes.room(prefixBytes+len(key)), s.id, group, key)
	if err := s.dropPieces(key); err != nil {
		return err
	}
	switch {
	case deleted:
		return s.writes.delete(key)
	case len(value) > pieceBytes:
		return s.putPieces(key, value)
	}
	stored := append(s.writes.room(1+len(value)), whole)
	return s.writes.set(key, append(stored, value...))
}

// end makes an error of a panic in Badger, which a damaged block can cause, and of a fault; and says where it happened.
func (s *store) end(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic in badger: %v", r)
	}
	if fault := s.d.faults.err(); fault != nil {
		*err = fault
	}
	if *err != nil {
		*err = fmt.Errorf("%s: %w", s.where, *err)
	}
}
