package mailbox

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// Pool recycles the batches of an edge. Without it a part-filled batch per flush is a gigabyte of garbage a second.
type Pool[T any] struct {
	p          sync.Pool
	recordsMax int
}

// NewPool makes a pool of batches that hold at most recordsMax records.
func NewPool[T any](recordsMax int) *Pool[T] { return &Pool[T]{recordsMax: recordsMax} }

// Get returns an empty batch.
func (p *Pool[T]) Get() *flow.Batch[T] {
	if b, _ := p.p.Get().(*flow.Batch[T]); b != nil {
		return b
	}
	return &flow.Batch[T]{Records: make([]flow.Record[T], 0, p.recordsMax+1)} // one more: see Out.AddKind
}

// Put empties b and keeps it for the next Get. The caller gives it up.
func (p *Pool[T]) Put(b *flow.Batch[T]) {
	b.Reset()
	p.p.Put(b)
}

// Lane is a bounded queue of batches from one producer to one consumer. A task's end never blocks (TrySend, TryReceive)
// and has a bell; the end of an I/O goroutine blocks (Send, Receive) and has none.
type Lane[T any] struct {
	c        chan *flow.Batch[T]
	pool     *Pool[T]
	consumer *Bell       // rung when a batch arrives
	producer *Bell       // rung when there is room again for a producer that was refused
	refused  atomic.Bool // the producer waits for room
	refuse   func() bool // see Refuse
}

// NewLane makes a lane for at most batchesMax batches. A nil bell belongs to an end that blocks instead.
func NewLane[T any](batchesMax int, pool *Pool[T], producer, consumer *Bell) *Lane[T] {
	return &Lane[T]{c: make(chan *flow.Batch[T], batchesMax), pool: pool, producer: producer, consumer: consumer}
}

// TrySend hands b over, or refuses when the lane is full: then the producer's bell rings when there is Room.
func (l *Lane[T]) TrySend(b *flow.Batch[T]) bool {
	if l.refuse != nil && l.refuse() {
		return false
	}
	select {
	case l.c <- b:
		if !planted.On("consumer-not-rung") {
			l.consumer.Ring()
		}
		return true
	default:
	}
	l.refused.Store(true)
	select { // look again: the consumer may have made room before it could see the flag
	case l.c <- b:
		l.refused.Store(false)
		l.consumer.Ring()
		return true
	default:
		return false
	}
}

// TryReceive takes the oldest batch, nil when there is none. The caller owns it and gives it back to the pool.
func (l *Lane[T]) TryReceive() *flow.Batch[T] {
	select {
	case b := <-l.c:
		l.made()
		return b
	default:
		return nil
	}
}

// made rings for a producer that was refused, once there is Room.
func (l *Lane[T]) made() {
	if l.refused.Load() && l.Room() && l.refused.CompareAndSwap(true, false) && !planted.On("producer-not-rung") {
		l.producer.Ring()
	}
}

// Room says whether a producer that was refused should go on: half of a full lane must have gone. Waking it for each batch that
// leaves costs as much as the records of a batch do.
func (l *Lane[T]) Room() bool {
	if l.refuse != nil { // it refuses without being full, and nobody will ring
		return l.Len() < l.Cap()
	}
	return l.Len() <= l.Cap()/2
}

// Refuse makes TrySend refuse whenever f says so, although there is room: for tests of what a refused producer does. It must be
// called before the lane is used; the producer must try again without a ring of its bell.
func (l *Lane[T]) Refuse(f func() bool) { l.refuse = f }

// Send hands b over, waiting for room until ctx ends. For I/O goroutines only.
func (l *Lane[T]) Send(ctx context.Context, b *flow.Batch[T]) error {
	select {
	case l.c <- b:
		l.Sent()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive takes the oldest batch, waiting for one until ctx ends or woken is ready; then there is none. For I/O goroutines
// only.
func (l *Lane[T]) Receive(ctx context.Context, woken <-chan struct{}) (*flow.Batch[T], error) {
	select {
	case b := <-l.c:
		l.Took()
		return b, nil
	case <-woken:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Arrivals is what Receive takes from, for an I/O goroutine that waits for other things as well. It calls Took behind each batch.
func (l *Lane[T]) Arrivals() <-chan *flow.Batch[T] { return l.c }

// Took ends the taking of a batch from Arrivals.
func (l *Lane[T]) Took() { l.made() }

// Departures is what Send hands over to, for an I/O goroutine that waits for other things as well. It calls Sent behind each batch.
func (l *Lane[T]) Departures() chan<- *flow.Batch[T] { return l.c }

// Sent ends the handing over of a batch to Departures.
func (l *Lane[T]) Sent() { l.consumer.Ring() }

// Len is the number of batches waiting.
func (l *Lane[T]) Len() int { return len(l.c) }

// Cap is the most batches the lane holds.
func (l *Lane[T]) Cap() int { return cap(l.c) }

// Pool is where the lane's batches come from and go back to.
func (l *Lane[T]) Pool() *Pool[T] { return l.pool }
