package natslane

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/wire"
)

// Receiver is the consumer's end of a lane that comes from another process.
type Receiver[T any] struct {
	line   *line
	lane   *mailbox.Lane[T]
	values mailbox.ValueCodec[T]
	state  *wire.Receiving
	ready  []*flow.Batch[T] // a ring with a place for each credit
	first  int
	queued int
	stats  Stats
}

// NewReceiver makes the Receiver of what a task takes from lane, whose producer it is. It subscribes; Run or Close must follow.
func NewReceiver[T any](c Config, lane *mailbox.Lane[T], values mailbox.ValueCodec[T]) (*Receiver[T], error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	l, err := open(c, batches, grants, c.queued())
	if err != nil {
		return nil, err
	}
	return &Receiver[T]{
		line: l, lane: lane, values: values, ready: make([]*flow.Batch[T], c.Credits),
		state: wire.NewReceiving(wire.ReceivingConfig{
			Lane: c.lane(), Credits: c.Credits, CreditBytes: c.CreditBytes, BatchBytesMax: c.BatchBytesMax,
		}),
	}, nil
}

// Stats is what the Receiver has done so far.
func (r *Receiver[T]) Stats() *Stats { return &r.stats }

// Close gives up a Receiver that does not Run.
func (r *Receiver[T]) Close() error { return r.line.close() }

// Run hands over what comes until ctx ends, and returns its error, or until the lane is broken: then the error names the lane and the
// numbers, wraps one of mailbox/wire's or of the connection, and the attempt is over. It is called once, on an I/O goroutine.
func (r *Receiver[T]) Run(ctx context.Context) error {
	defer func() { _ = r.line.close() }() // there is an error already
	if err := r.line.publish(r.state.Grant(0)); err != nil {
		return err
	}
	for {
		if err := r.turn(ctx); err != nil {
			return err
		}
	}
}

// turn waits for one thing and does it. Frames are taken also while the consumer's lane is full: probes are answered, and the queue of
// the subscription stays short.
func (r *Receiver[T]) turn(ctx context.Context) error {
	var room chan<- *flow.Batch[T]
	if r.queued > 0 {
		room = r.lane.Departures()
	}
	select {
	case room <- r.ready[r.first]:
		r.lane.Sent()
		r.pop()
		if r.state.Taken() {
			return r.line.publish(r.state.Grant(0))
		}
		return nil
	case m := <-r.line.in:
		return r.take(m.Data)
	case <-r.line.closed:
		return r.line.broken()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Receiver[T]) take(data []byte) error {
	a, err := r.state.Receive(data)
	r.stats.Stale.Store(int64(r.state.Stale()))
	r.stats.Repeated.Store(int64(r.state.Repeated()))
	switch {
	case err != nil:
		return err
	case a.Probe > 0:
		r.stats.Probes.Add(1)
		return r.line.publish(r.state.Grant(a.Probe))
	case a.Seq == 0:
		return nil
	}
	r.stats.Batches.Add(1)
	r.stats.Bytes.Add(int64(len(a.Body)))
	b := r.lane.Pool().Get()
	if err := wire.DecodeBody(a.Body, r.values, b); err != nil {
		r.lane.Pool().Put(b)
		return fmt.Errorf("lane %s: batch %d: %w", r.line.c.Name, a.Seq, err)
	}
	b.Seq, b.Attempt = a.Seq, r.line.c.Attempt
	r.ready[(r.first+r.queued)%len(r.ready)] = b
	r.queued++
	return nil
}

// pop takes the oldest batch off the ring.
func (r *Receiver[T]) pop() {
	r.ready[r.first] = nil
	r.first = (r.first + 1) % len(r.ready)
	r.queued--
}
