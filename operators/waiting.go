package operators

import "context"

// Waiting is an operator that keeps inputs while something outside is asked about them. They belong to no key: a restore
// deals them to the tasks there are. The task's loop calls all methods.
type Waiting interface {
	// Full says that the task should take no input for now.
	Full() bool
	// Open is the number of inputs kept. The end of input waits until there are none.
	Open() int
	// HeldNS is the watermark that may be forwarded: that of the oldest input kept when it came, or the final one.
	HeldNS() int64
	// Save puts each input kept, in the order they came; the bytes are good during the call.
	Save(put func([]byte))
	// Load takes one back, before the task starts.
	Load([]byte) error
	// Resume goes on with what was loaded, when the task has started.
	Resume()
}

// waiting is a registered Waiting with its operator's id.
type waiting struct {
	id string
	op Waiting
}

// AddWaiting registers an operator that keeps inputs, while the task is built.
func (e *Env) AddWaiting(id string, w Waiting) { e.waits = append(e.waits, waiting{id, w}) }

// Waiting goes over the operators that keep inputs, by id, in the order they were built.
func (e *Env) Waiting(yield func(id string, w Waiting) bool) {
	for _, w := range e.waits {
		if !yield(w.id, w.op) {
			return
		}
	}
}

// Full says whether one of the operators wants no input for now.
func (e *Env) Full() bool {
	for i := range e.waits {
		if e.waits[i].op.Full() {
			return true
		}
	}
	return false
}

// Open is the number of inputs that operators keep.
func (e *Env) Open() (n int) {
	for i := range e.waits {
		n += e.waits[i].op.Open()
	}
	return n
}

// Holding is an operator that may still emit what is older than the watermark it has.
type Holding interface {
	// HoldNS is the watermark to forward for one that has arrived: no record that comes out later is older. It grows with it.
	HoldNS(watermarkNS int64) int64
}

// AddHolding registers an operator that may emit what is older than the watermark, while the task is built.
func (e *Env) AddHolding(h Holding) { e.holds = append(e.holds, h) }

// HeldNS is the watermark that may be forwarded.
func (e *Env) HeldNS() int64 {
	low := e.Clock.WatermarkNS
	for _, h := range e.holds {
		low = min(low, h.HoldNS(e.Clock.WatermarkNS))
	}
	for i := range e.waits {
		low = min(low, e.waits[i].op.HeldNS())
	}
	return low
}

// Executor runs what may wait, off the task's loop, and brings what is to be done on it back.
type Executor interface {
	// Go runs f on an I/O goroutine that ends with the attempt; an error of f fails the task.
	Go(operator, doing string, f func(ctx context.Context) error)
	// Post runs f on the task's loop; from any goroutine.
	Post(f func())
}
