package mailbox

import "github.com/millrace-io/millrace/flow"

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
	b := &flow.Batch[T]{}
	if err := DecodeRecords(data, r.values, b, mine); err != nil {
		return err
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
		r.buf = AppendRecords(r.buf[:0], r.values, b)
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
