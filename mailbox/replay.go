package mailbox

import (
	"encoding/binary"
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// ValueCodec writes and reads the records of a lane: the encoding of T.
type ValueCodec[T any] interface {
	Append(dst []byte, v *T) []byte
	Decode(src []byte, v *T) (rest []byte, err error)
}

// ErrDamaged says that bytes are no recorded batch.
var ErrDamaged = errors.New("recorded batch is damaged")

// recordBytesMin is what a recorded record takes besides its value.
const recordBytesMin = 8 + 8 + 1

// appendBatch appends the records of b: their number, and of each the time, the hash, the kind and the value. Marks are not written: producers give
// their watermark again.
func appendBatch[T any](dst []byte, values ValueCodec[T], b *flow.Batch[T]) []byte {
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

// Replay is the Input of records that were under way when the epoch was cut from which the attempt starts. They come before what lanes bring.
type Replay[T any] struct {
	on      func(*flow.Batch[T])
	values  ValueCodec[T]
	batches []*flow.Batch[T] // oldest first
	buf     []byte
}

// NewReplay makes the Replay of an edge; values and on are those of its Receivers.
func NewReplay[T any](values ValueCodec[T], on func(*flow.Batch[T])) *Replay[T] {
	return &Replay[T]{values: values, on: on}
}

// Load adds what a Receiver has recorded: the records whose hash is the task's.
func (r *Replay[T]) Load(data []byte, mine func(hash uint64) bool) error {
	n, w := binary.Uvarint(data)
	if w <= 0 || n > uint64(len(data))/recordBytesMin {
		return ErrDamaged
	}
	data = data[w:]
	b := &flow.Batch[T]{}
	for range n {
		if len(data) < recordBytesMin {
			return ErrDamaged
		}
		rec := flow.Record[T]{TimeNS: int64(binary.BigEndian.Uint64(data)), Hash: binary.BigEndian.Uint64(data[8:])}
		kind := flow.Kind(data[16])
		rest, err := r.values.Decode(data[recordBytesMin:], &rec.Value)
		if err == nil && kind > flow.Final {
			err = ErrDamaged
		}
		if err != nil {
			return err
		}
		data = rest
		if !mine(rec.Hash) {
			continue
		}
		if kind != flow.Insert || len(b.Kinds) > 0 {
			for len(b.Kinds) < len(b.Records) {
				b.Kinds = append(b.Kinds, flow.Insert)
			}
			b.Kinds = append(b.Kinds, kind)
		}
		b.Records = append(b.Records, rec)
	}
	if len(data) > 0 {
		return ErrDamaged
	}
	if len(b.Records) > 0 {
		r.batches = append(r.batches, b)
	}
	return nil
}

// Take implements Input.
func (r *Replay[T]) Take() bool { return len(r.batches) > 0 }

// Deliver implements Input.
func (r *Replay[T]) Deliver() (flow.Mark, int) {
	b := r.batches[0]
	r.batches[0] = nil
	r.batches = r.batches[1:]
	r.on(b)
	return flow.Mark{}, len(b.Records)
}

// Waiting implements Input.
func (r *Replay[T]) Waiting() bool { return len(r.batches) > 0 }

// SetMasked implements Input: barriers are behind all of it.
func (r *Replay[T]) SetMasked(bool) {}

// Record implements Input: f gets what has not been processed.
func (r *Replay[T]) Record(f func(batch []byte)) {
	for _, b := range r.batches {
		r.buf = appendBatch(r.buf[:0], r.values, b)
		f(r.buf)
	}
}

// Stash implements Input: nothing comes any more.
func (r *Replay[T]) Stash(func(batch []byte)) (barrier flow.Mark, moved bool) {
	return flow.Mark{}, false
}

// Stashable implements Input.
func (r *Replay[T]) Stashable() bool { return false }

// Queued implements Input.
func (r *Replay[T]) Queued() int { return len(r.batches) }

// Discard implements Input.
func (r *Replay[T]) Discard() { r.batches = nil }
