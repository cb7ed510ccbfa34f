package mailbox

import "github.com/millrace-io/millrace/flow"

// Input is the consumer's end of a lane, or anything else a task takes batches from, with the record type rubbed off:
// a few dynamic calls a batch, none a record. One goroutine, the task's loop, calls it.
type Input interface {
	// Take receives one batch, if there is one and the input is not masked. Deliver must follow before the next Take.
	Take() bool
	// Deliver processes the batch taken and returns its mark and how many records it held.
	Deliver() (flow.Mark, int)
	// Waiting says whether Take would find a batch.
	Waiting() bool
	// SetMasked stops or resumes reading, while barriers align.
	SetMasked(bool)
	// Queued is how many batches wait.
	Queued() int
	// Discard drops all that waits, at the end of an attempt.
	Discard()
}

// Receiver is the Input of a lane: on is the consumer's typed loop over a batch.
type Receiver[T any] struct {
	lane    *Lane[T]
	on      func(*flow.Batch[T])
	taken   *flow.Batch[T]
	attempt flow.Attempt
	seq     uint64
	masked  bool
}

// NewReceiver makes the consumer's end of lane. Batches of another attempt than the given one are dropped.
func NewReceiver[T any](lane *Lane[T], attempt flow.Attempt, on func(*flow.Batch[T])) *Receiver[T] {
	return &Receiver[T]{lane: lane, attempt: attempt, on: on}
}

// Take implements Input.
func (r *Receiver[T]) Take() bool {
	if r.masked {
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
func (r *Receiver[T]) Waiting() bool { return !r.masked && len(r.lane.c) > 0 }

// SetMasked implements Input.
func (r *Receiver[T]) SetMasked(m bool) { r.masked = m }

// Queued implements Input.
func (r *Receiver[T]) Queued() int { return len(r.lane.c) }

// Discard implements Input.
func (r *Receiver[T]) Discard() {
	if r.taken != nil {
		r.lane.pool.Put(r.taken)
		r.taken = nil
	}
	for b := r.lane.TryReceive(); b != nil; b = r.lane.TryReceive() {
		r.lane.pool.Put(b)
	}
}
