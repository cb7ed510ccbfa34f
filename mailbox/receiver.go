package mailbox

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// stashFactor bounds a stash to so many times the batches of its lane: a producer that has not heard of the cut yet must not fill the memory.
const stashFactor = 4

// Receiver is the Input of a lane: on is the consumer's typed loop over a batch.
type Receiver[T any] struct {
	lane    *Lane[T]
	on      func(*flow.Batch[T])
	values  ValueCodec[T]
	taken   *flow.Batch[T]
	attempt flow.Attempt
	seq     uint64
	masked  bool

	recording bool
	stash     []*flow.Batch[T] // off the lane and not processed, oldest first
	buf       []byte
}

// NewReceiver makes the consumer's end of lane. Batches of another attempt than the given one are dropped. values writes records that are
// recorded; nil: the lane never is.
func NewReceiver[T any](lane *Lane[T], attempt flow.Attempt, values ValueCodec[T], on func(*flow.Batch[T])) *Receiver[T] {
	return &Receiver[T]{lane: lane, attempt: attempt, values: values, on: on}
}

// Take implements Input.
func (r *Receiver[T]) Take() bool {
	switch {
	case r.masked && !planted.On("masked-lane-is-read"):
		return false
	case len(r.stash) > 0:
		r.taken = r.stash[0]
		n := copy(r.stash, r.stash[1:])
		r.stash[n] = nil
		r.stash = r.stash[:n]
		return true
	case r.recording:
		return false
	}
	r.taken = r.lane.TryReceive()
	return r.taken != nil
}

// Deliver implements Input. A gap in the lane's sequence numbers means lost records and ends the attempt.
func (r *Receiver[T]) Deliver() (flow.Mark, int) {
	b := r.taken
	r.taken = nil
	if b.Attempt != r.attempt {
		r.lane.pool.Put(b)
		return flow.Mark{}, 0
	}
	r.seq++
	if b.Seq != r.seq {
		panic(SequenceError{Want: r.seq, Got: b.Seq})
	}
	n, m := len(b.Records), b.Mark
	if n > 0 {
		r.on(b)
	}
	r.lane.pool.Put(b)
	return m, n
}

// Waiting implements Input.
func (r *Receiver[T]) Waiting() bool {
	return !r.masked && (len(r.stash) > 0 || !r.recording && len(r.lane.c) > 0)
}

// SetMasked implements Input.
func (r *Receiver[T]) SetMasked(m bool) { r.masked = m }

// Record implements Input.
func (r *Receiver[T]) Record(f func(batch []byte)) {
	r.recording = true
	for _, b := range r.stash {
		r.record(b, f)
	}
}

func (r *Receiver[T]) record(b *flow.Batch[T], f func(batch []byte)) {
	if len(b.Records) > 0 && b.Attempt == r.attempt {
		r.buf = AppendRecords(r.buf[:0], r.values, b)
		f(r.buf)
	}
}

// Stashable implements Input.
func (r *Receiver[T]) Stashable() bool {
	return r.recording && len(r.lane.c) > 0 && len(r.stash) < stashFactor*cap(r.lane.c)
}

// Stash implements Input.
func (r *Receiver[T]) Stash(f func(batch []byte)) (barrier flow.Mark, moved bool) {
	if !r.Stashable() {
		return flow.Mark{}, false
	}
	b := r.lane.TryReceive()
	if b == nil {
		return flow.Mark{}, false
	}
	r.record(b, f)
	r.stash = append(r.stash, b)
	if b.Attempt != r.attempt || b.Mark.Has&flow.HasBarrier == 0 {
		return flow.Mark{}, true
	}
	r.recording = false
	barrier = flow.BarrierOf(b.Mark.Epoch, b.Mark.Ends())
	b.Mark.Has &^= flow.HasBarrier | flow.HasTrigger // the rest of the mark holds when the records have been processed
	return barrier, true
}

// Queued implements Input.
func (r *Receiver[T]) Queued() int { return len(r.stash) + len(r.lane.c) }

// Discard implements Input.
func (r *Receiver[T]) Discard() {
	if r.taken != nil {
		r.lane.pool.Put(r.taken)
		r.taken = nil
	}
	for _, b := range r.stash {
		r.lane.pool.Put(b)
	}
	r.stash = nil
	for b := r.lane.TryReceive(); b != nil; b = r.lane.TryReceive() {
		r.lane.pool.Put(b)
	}
}
