package badgerstate

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// keyBytesMax is the longest key stored as it is; Badger's own limit is not far above. Longer keys live in bundles: all that
// begin with the same keyBytesMax bytes are entries of one value, in key order. Its key is those bytes and one more, 0, so
// that the order of a Scan holds. Such keys are rare, and a write to one reads its bundle.
const keyBytesMax = 60_000

// bundleOf splits a long key; head is the key of its bundle, in dst.
func bundleOf(dst, key []byte) (head, tail []byte) {
	return append(append(dst, key[:keyBytesMax]...), 0), key[keyBytesMax:]
}

func isBundle(key []byte) bool { return len(key) > keyBytesMax }

// bundle is the encoded entries of one: length and tail of the key, length and value, in order of the tails.
type bundle []byte

func (b bundle) next() (tail, value []byte, rest bundle, err error) {
	if tail, b, err = b.part(); err == nil {
		value, b, err = b.part()
	}
	return tail, value, b, err
}

func (b bundle) part() (part []byte, rest bundle, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, fmt.Errorf("bundle of long keys is damaged %d bytes before its end: restore from a checkpoint", len(b))
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

func (b bundle) append(tail, value []byte) bundle {
	b = append(binary.AppendUvarint(b, uint64(len(tail))), tail...)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// find is the value of a tail.
func (b bundle) find(tail []byte) (value []byte, ok bool, err error) {
	for len(b) > 0 && err == nil {
		var at []byte
		if at, value, b, err = b.next(); err == nil && bytes.Equal(at, tail) {
			return value, true, nil
		}
	}
	return nil, false, err
}

// with is a copy in which tail has the value, or is absent when deleted.
func (b bundle) with(tail, value []byte, deleted bool) (changed bundle, err error) {
	placed := deleted
	for len(b) > 0 {
		var at, v []byte
		if at, v, b, err = b.next(); err != nil {
			return nil, err
		}
		order := bytes.Compare(at, tail)
		if order >= 0 && !placed {
			changed, placed = changed.append(tail, value), true
		}
		if order != 0 {
			changed = changed.append(at, v)
		}
	}
	if !placed {
		changed = changed.append(tail, value)
	}
	return changed, nil
}

func (s *store) getLong(group flow.KeyGroup, key, dst []byte) (value []byte, ok bool, err error) {
	head, tail := bundleOf(nil, key)
	b, ok, err := s.get(group, head, nil)
	if !ok {
		return dst, false, err
	}
	v, ok, err := bundle(b).find(tail)
	return append(dst, v...), ok, err
}

func (s *store) putLong(group flow.KeyGroup, key, value []byte, deleted bool) error {
	head, tail := bundleOf(nil, key)
	if err := s.writes.settle(); err != nil {
		return err
	}
	old, _, err := s.get(group, head, nil)
	if err != nil {
		return err
	}
	b, err := bundle(old).with(tail, value, deleted)
	if err != nil {
		return err
	}
	return s.put(group, head, b, len(b) == 0)
}

// scanLong is Scan within a bundle; more is what f returned last.
func (s *store) scanLong(head, value, after []byte, f func(key, value []byte) bool) (more bool, err error) {
	for b := bundle(value); len(b) > 0; {
		var tail, v []byte
		if tail, v, b, err = b.next(); err != nil {
			return false, err
		}
		key := append(head[:keyBytesMax:keyBytesMax], tail...)
		if (after == nil || bytes.Compare(key, after) > 0) && !f(key, v) {
			return false, nil
		}
	}
	return true, nil
}
