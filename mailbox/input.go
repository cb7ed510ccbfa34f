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
	// Record begins to record what is on its way, for a cut that is ahead of the lane's barrier: f gets the encoding of each batch that was
	// stashed and not processed. From then on batches are taken from the stash only, until one brings the barrier to Stash. The slice is
	// valid during the call.
	Record(f func(batch []byte))
	// Stash moves the next batch of the lane behind those that wait to be taken, while it records: f gets its encoding if it has records. It
	// returns the barrier that came with the batch, with which recording ends, and whether there was a batch and room for it.
	Stash(f func(batch []byte)) (barrier flow.Mark, moved bool)
	// Stashable says whether Stash would move a batch.
	Stashable() bool
	// Queued is how many batches wait.
	Queued() int
	// Discard drops all that waits, at the end of an attempt.
	Discard()
}
