package natslane

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/wire"
)

const (
	batches = ".batches"
	grants  = ".grants"
)

// Sender is the producer's end of a lane that leaves the process.
type Sender[T any] struct {
	line    *line
	lane    *mailbox.Lane[T]
	values  mailbox.ValueCodec[T]
	state   *wire.Sending
	publish func(frame []byte) error
	buf     []byte
	probe   *time.Timer
	armed   bool
	stats   Stats
}

// NewSender makes the Sender of what a task sends into lane, whose consumer it is. values is the encoding of T, as at the Receiver. Run or Close
// must follow. Which end comes first does not matter: nothing is sent before the Receiver has granted it.
func NewSender[T any](c Config, lane *mailbox.Lane[T], values mailbox.ValueCodec[T]) (*Sender[T], error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	l, err := open(c, grants, batches, c.Credits+framesBesidesMax)
	if err != nil {
		return nil, err
	}
	s := &Sender[T]{line: l, lane: lane, values: values, buf: make([]byte, wire.HeadBytes)}
	s.publish = l.publish
	s.state = wire.NewSending(wire.SendingConfig{
		Lane: c.lane(), CreditBytes: c.CreditBytes, BatchBytesMax: c.BatchBytesMax, PieceBytesMax: c.pieceBytes(), ProbesMax: int(c.AnswerWithin / c.ProbeEvery),
	})
	return s, nil
}

// Stats is what the Sender has done so far.
func (s *Sender[T]) Stats() *Stats { return &s.stats }

// Close gives up a Sender that does not Run.
func (s *Sender[T]) Close() error { return s.line.close() }

// Run sends until ctx ends, and returns its error, or until the lane is broken: then the error names the lane and the numbers, wraps one of
// mailbox/wire's or of the connection, and the attempt is over. It is called once, on an I/O goroutine.
func (s *Sender[T]) Run(ctx context.Context) error {
	defer func() { _ = s.line.close() }() // there is an error already
	s.probe = time.NewTimer(s.line.c.ProbeEvery)
	defer s.probe.Stop()
	if err := s.ask(); err != nil {
		return err
	}
	for {
		if err := s.turn(ctx); err != nil {
			return err
		}
	}
}

// turn waits for one thing and does it.
func (s *Sender[T]) turn(ctx context.Context) error {
	var due <-chan *flow.Batch[T] // none, without credit
	if _, credit := s.state.Next(); credit {
		due = s.lane.Arrivals()
	}
	select {
	case b := <-due:
		s.lane.Took()
		return s.send(b)
	case m := <-s.line.in:
		err := s.state.Receive(m.Data)
		s.stats.Stale.Store(int64(s.state.Stale()))
		return err
	case <-s.probe.C:
		s.armed = false
		if s.state.Unsettled() {
			return s.ask()
		}
		return nil
	case <-s.line.closed:
		return s.line.broken()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sender[T]) send(b *flow.Batch[T]) error {
	defer s.lane.Pool().Put(b)
	if b.Attempt != s.line.c.Attempt {
		return nil // as the consumer of a lane in one process does
	}
	if seq, _ := s.state.Next(); b.Seq != seq {
		return fmt.Errorf("lane %s: %w", s.line.c.Name, mailbox.SequenceError{Want: seq, Got: b.Seq})
	}
	s.buf = wire.AppendBody(s.buf[:wire.HeadBytes], s.values, b)
	if err := s.state.Send(s.buf, s.publish); err != nil {
		return err
	}
	s.stats.Batches.Add(1)
	s.stats.Bytes.Add(int64(len(s.buf) - wire.HeadBytes))
	s.arm()
	return nil
}

// ask sends a probe and comes back when the next is due.
func (s *Sender[T]) ask() error {
	frame, err := s.state.Probe()
	if err != nil {
		if last := s.line.c.Conn.LastError(); last != nil { // a subject that the server refuses is told nowhere else
			return fmt.Errorf("%w; the connection's last error: %w", err, last)
		}
		return err
	}
	s.arm()
	s.stats.Probes.Add(1)
	return s.publish(frame)
}

// arm sees to it that the timer runs while something is under way. It is not set anew for each batch.
func (s *Sender[T]) arm() {
	if !s.armed {
		s.armed = true
		s.probe.Reset(s.line.c.ProbeEvery)
	}
}
