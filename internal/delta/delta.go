// Package delta is the encoding of changed state entries that state writes, checkpoint stores and folds, and state reads
// back. Entries are bytes here: folding needs no types.
//
// An entry is: key length+1 (uvarint) for a put or 0 and key length for a deletion, key, and for a put the value length
// and value. Later entries of a key win.
package delta

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// Block is the changed entries of one state in one key group, in the order they happened.
type Block struct {
	Operator string // the operator's id
	State    string // the state's name within the operator
	Group    flow.KeyGroup
	Count    int    // entries in Data
	Data     []byte // entries one after the other
}

// Schema describes how a state's keys and values are encoded. It is stored once per segment for each state in it.
type Schema struct {
	Operator, State string
	Key, Value      string // Avro schemas as canonical JSON
}

// AppendPut appends the entry key = value.
func AppendPut(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key))+1)
	dst = append(dst, key...)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// AppendDelete appends the deletion of key.
func AppendDelete(dst, key []byte) []byte {
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	return append(dst, key...)
}

// A put may also be made in place, which saves the copies of AppendPut: Begin, append the key, EndKey, append the value, EndValue.
// Each takes and gives the slice; at is where the key or the value began.

// Begin makes room for the length of what is appended next.
func Begin(dst []byte) (extended []byte, at int) { return append(dst, 0), len(dst) }

// EndKey writes the length of the key that was begun at, and begins the value.
func EndKey(dst []byte, at int) (extended []byte, valueAt int) { return Begin(patchSize(dst, at, 1)) }

// EndValue writes the length of the value that was begun at.
func EndValue(dst []byte, at int) []byte { return patchSize(dst, at, 0) }

// patchSize writes the length (+bias) of what follows dst[at+1:] at position at, moving the bytes when it needs more than one.
func patchSize(dst []byte, at int, bias uint64) []byte {
	n := uint64(len(dst)-at-1) + bias
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var size [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(size[:], n)
	dst = append(dst, size[1:w]...)
	copy(dst[at+w:], dst[at+1:len(dst)-(w-1)])
	copy(dst[at:], size[:w])
	return dst
}

// ErrDamaged says that bytes are not a sequence of entries.
var ErrDamaged = errors.New("state entries are damaged")

// Next splits the first entry off data. The slices alias data; deleted entries have a nil value.
func Next(data []byte) (key, value []byte, deleted bool, rest []byte, err error) {
	n, w := binary.Uvarint(data)
	if w <= 0 {
		return nil, nil, false, nil, fmt.Errorf("%w: key length", ErrDamaged)
	}
	data = data[w:]
	if deleted = n == 0; deleted {
		key, rest, err = sized(data, "deleted key")
		return key, nil, true, rest, err
	}
	if n--; n > uint64(len(data)) {
		return nil, nil, false, nil, fmt.Errorf("%w: key of %d bytes, %d left", ErrDamaged, n, len(data))
	}
	key, data = data[:n:n], data[n:]
	value, rest, err = sized(data, "value")
	return key, value, false, rest, err
}

func sized(data []byte, what string) (b, rest []byte, err error) {
	n, w := binary.Uvarint(data)
	if w <= 0 || n > uint64(len(data)-w) {
		return nil, nil, fmt.Errorf("%w: %s of %d bytes, %d left", ErrDamaged, what, n, len(data))
	}
	data = data[w:]
	return data[:n:n], data[n:], nil
}
