package mailbox

import (
	"encoding/binary"
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// ValueCodec writes and reads the records of a lane: the encoding of T. What Decode reads does not alias src.
type ValueCodec[T any] interface {
	Append(dst []byte, v *T) []byte
	Decode(src []byte, v *T) (rest []byte, err error)
}

// ErrDamaged says that bytes are no encoded batch.
var ErrDamaged = errors.New("encoded batch is damaged")

// recordBytesMin is what an encoded record takes besides its value.
const recordBytesMin = 8 + 8 + 1

// AppendRecords appends the records of b: their number, and of each the time, the hash, the kind and the value. The mark is not written.
func AppendRecords[T any](dst []byte, values ValueCodec[T], b *flow.Batch[T]) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b.Records)))
	for i := range b.Records {
		r := &b.Records[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.TimeNS))
		dst = binary.BigEndian.AppendUint64(dst, r.Hash)
		dst = append(dst, byte(b.KindOf(i)))
		dst = values.Append(dst, &r.Value)
	}
	return dst
}

// DecodeRecords adds to b the records that AppendRecords wrote, those whose hash mine wants (nil: all). Nothing may follow them in src. After an
// error b holds some of them. What it allocates grows with what src holds, not with what it says that it holds.
func DecodeRecords[T any](src []byte, values ValueCodec[T], b *flow.Batch[T], mine func(hash uint64) bool) error {
	n, w := binary.Uvarint(src)
	if w <= 0 || n > uint64(len(src))/recordBytesMin {
		return ErrDamaged
	}
	src = src[w:]
	for range n {
		if len(src) < recordBytesMin {
			return ErrDamaged
		}
		hash, kind := binary.BigEndian.Uint64(src[8:]), flow.Kind(src[16])
		if kind > flow.Final {
			return ErrDamaged
		}
		b.Records = append(b.Records, flow.Record[T]{TimeNS: int64(binary.BigEndian.Uint64(src)), Hash: hash})
		last := len(b.Records) - 1 // decoded in place: a variable would be moved to the heap, one for each record
		rest, err := values.Decode(src[recordBytesMin:], &b.Records[last].Value)
		if err != nil {
			return err
		}
		src = rest
		if mine != nil && !mine(hash) {
			clear(b.Records[last:])
			b.Records = b.Records[:last]
			continue
		}
		if kind != flow.Insert || len(b.Kinds) > 0 {
			for len(b.Kinds) < last {
				b.Kinds = append(b.Kinds, flow.Insert)
			}
			b.Kinds = append(b.Kinds, kind)
		}
	}
	if len(src) > 0 {
		return ErrDamaged
	}
	return nil
}
