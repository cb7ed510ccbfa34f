package actors

import (
	"context"
	"fmt"
	"sync"

	"github.com/millrace-io/millrace/codec"
)

var envelopes = sync.OnceValue(func() *codec.Encoding[Envelope] {
	e, err := codec.Derive[Envelope]()
	if err != nil {
		panic(err) // a field of this package that has no encoding
	}
	return e
})

// EncodeEnvelope appends e to dst.
func EncodeEnvelope(dst []byte, e *Envelope) []byte { return envelopes().Append(dst, e) }

// DecodeEnvelope reads what EncodeEnvelope wrote, which must be all of src. Nothing of src is kept.
func DecodeEnvelope(src []byte) (*Envelope, error) {
	e := new(Envelope)
	rest, err := envelopes().Decode(src, e)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes too many", codec.ErrDamaged, len(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return e, nil
}

// queueBytesMax is how many bytes a queue holds before Room waits.
const queueBytesMax = 4 << 20

// Queue holds encoded envelopes between one who sends and one who takes, in order. Any goroutine may call its methods.
type Queue struct {
	mu      sync.Mutex
	all     [][]byte
	bytes   int
	err     error
	changed chan struct{} // closed and replaced when something has changed
}

// NewQueue makes an empty queue.
func NewQueue() *Queue { return &Queue{changed: make(chan struct{})} }

func (q *Queue) announce() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Put adds an envelope, unless the queue has failed.
func (q *Queue) Put(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.all = append(q.all, b)
		q.bytes += len(b)
		q.announce()
	}
}

// Fail ends the queue: what it holds is lost, and the first err is what Take and Room give.
func (q *Queue) Fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err, q.all, q.bytes = err, nil, 0
		q.announce()
	}
}

// Take waits for the oldest envelope.
func (q *Queue) Take(ctx context.Context) ([]byte, error) {
	var b []byte
	err := q.await(ctx, func() bool {
		if len(q.all) == 0 {
			return false
		}
		b = q.all[0]
		q.all[0] = nil
		q.all, q.bytes = q.all[1:], q.bytes-len(b)
		q.announce()
		return true
	})
	return b, err
}

// Room waits until the queue holds little.
func (q *Queue) Room(ctx context.Context) error {
	return q.await(ctx, func() bool { return q.bytes < queueBytesMax })
}

func (q *Queue) await(ctx context.Context, f func() bool) error {
	for {
		q.mu.Lock()
		err, changed := q.err, q.changed
		ok := err == nil && f()
		q.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Pipe makes the two ends of a link within the process, each with the name of the other.
func Pipe(coordinator, worker string) (atCoordinator, atWorker Link) {
	down, up := NewQueue(), NewQueue()
	return &pipeEnd{worker, down, up}, &pipeEnd{coordinator, up, down}
}

type pipeEnd struct {
	name    string
	out, in *Queue
}

func (p *pipeEnd) Name() string                   { return p.name }
func (p *pipeEnd) Send(e *Envelope)               { p.out.Put(EncodeEnvelope(nil, e)) }
func (p *pipeEnd) Room(ctx context.Context) error { return p.out.Room(ctx) }

func (p *pipeEnd) Receive() (*Envelope, error) {
	b, err := p.in.Take(context.Background())
	if err != nil {
		return nil, err
	}
	return DecodeEnvelope(b)
}

func (p *pipeEnd) Close(why error) {
	p.in.Fail(ErrLinkClosed)
	p.out.Fail(Departed(why))
}

// Departed is what Receive gives when the other end has closed the link.
func Departed(why error) error {
	if why == nil {
		return ErrLinkEnded
	}
	return fmt.Errorf("%w: %w", ErrLinkEnded, why)
}
