package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

const (
	partBytesMax     = 256 << 10
	linkCredits      = 16      // parts under way hold up the beats, which go over the same connection
	envelopeBytesMax = 1 << 30 // an epoch's changes of a task
	// The first byte of a part.
	partLast = 0
	partMore = 1
)

// link is an actors.Link over two lanes, one each way. An envelope goes in parts, each a batch of one record.
type link struct {
	c      Config
	id     string
	name   string // who is at the other end
	mine   string // told with the closing
	out    *actors.Queue
	in     *mailbox.Lane[[]byte]
	heard  atomic.Int64 // when the other end last gave a sign of life; Unix nanoseconds
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	subs   []*nats.Subscription
	once   sync.Once
}

// ErrSilent says that a process gave no sign of life for too long.
var ErrSilent = errors.New("no sign of life")

// ways of the envelopes of a link.
const (
	down = "down" // to the worker
	up   = "up"
)

// open makes an end of a link; from is the way that it hears.
func open(c Config, id, name, from, to string) (*link, error) {
	l := &link{c: c, id: id, name: name, mine: to, out: actors.NewQueue()}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.sign()
	values, err := codec.Derive[[]byte]()
	if err != nil {
		return nil, err
	}
	pool := mailbox.NewPool[[]byte](1)
	l.in = mailbox.NewLane(linkCredits, pool, nil, nil)
	away := mailbox.NewLane(linkCredits, pool, nil, nil)
	receiver, err := natslane.NewReceiver(l.lane(from), l.in, values)
	if err != nil {
		return nil, err
	}
	sender, err := natslane.NewSender(l.lane(to), away, values)
	if err != nil {
		return nil, errors.Join(err, receiver.Close())
	}
	closing, err := c.Conn.Subscribe(c.closing(id)+"."+from, func(m *nats.Msg) {
		var why error
		if len(m.Data) > 0 {
			why = errors.New(string(m.Data))
		}
		l.fail(actors.Departed(why))
	})
	if err != nil {
		return nil, errors.Join(err, receiver.Close(), sender.Close())
	}
	l.subs = append(l.subs, closing)
	l.run(receiver.Run)
	l.run(sender.Run)
	l.run(func(ctx context.Context) error { return l.pump(ctx, away) })
	l.run(l.listen)
	return l, nil
}

func (l *link) lane(way string) natslane.Config {
	return natslane.Config{
		Conn: l.c.Conn, Subject: l.c.envelopes(l.id, way), Name: "envelopes " + way, Attempt: 1, Credits: linkCredits,
		BatchBytesMax: 2 * partBytesMax,
	}
}

// run does what belongs to the link until it ends; an error is its end.
func (l *link) run(f func(ctx context.Context) error) {
	l.work.Go(func() {
		if err := f(l.ctx); err != nil && l.ctx.Err() == nil {
			l.fail(err)
		}
	})
}

// pump moves what is sent into the lane, in parts.
func (l *link) pump(ctx context.Context, away *mailbox.Lane[[]byte]) error {
	var seq uint64
	for {
		e, err := l.out.Take(ctx)
		if err != nil {
			return err
		}
		for more := true; more; {
			part := e[:min(len(e), partBytesMax)]
			e = e[len(part):]
			more = len(e) > 0
			first := byte(partLast)
			if more {
				first = partMore
			}
			seq++
			b := away.Pool().Get()
			b.Seq, b.Attempt = seq, 1
			b.Records = append(b.Records, flow.Record[[]byte]{Value: append([]byte{first}, part...)})
			if err := away.Send(ctx, b); err != nil {
				return err
			}
		}
	}
}

// sign notes a sign of life of the other end.
func (l *link) sign() { l.heard.Store(time.Now().UnixNano()) }

// listen fails the link when the other end is silent for too long.
func (l *link) listen(ctx context.Context) error {
	tick := time.NewTicker(l.c.BeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if silent := time.Since(time.Unix(0, l.heard.Load())); silent > l.c.LostAfter {
			return fmt.Errorf("%w for %v, at most %v is allowed (LostAfter)", ErrSilent, silent.Round(time.Millisecond), l.c.LostAfter)
		}
	}
}

// Name implements actors.Link.
func (l *link) Name() string { return l.name }

// Send implements actors.Link.
func (l *link) Send(e *actors.Envelope) { l.out.Put(actors.EncodeEnvelope(nil, e)) }

// Room implements actors.Link.
func (l *link) Room(ctx context.Context) error { return l.out.Room(ctx) }

// Receive implements actors.Link.
func (l *link) Receive() (*actors.Envelope, error) {
	var whole []byte
	for {
		b, err := l.in.Receive(l.ctx, nil)
		if err != nil {
			return nil, context.Cause(l.ctx)
		}
		l.sign()
		for _, r := range b.Records {
			if len(r.Value) == 0 || len(whole)+len(r.Value) > envelopeBytesMax {
				err = fmt.Errorf("%w: part of %d bytes behind %d", codec.ErrDamaged, len(r.Value), len(whole))
				l.fail(err)
				return nil, err
			}
			whole = append(whole, r.Value[1:]...)
			if r.Value[0] == partMore {
				continue
			}
			l.in.Pool().Put(b)
			e, err := actors.DecodeEnvelope(whole)
			if err != nil {
				l.fail(err)
			}
			return e, err
		}
		l.in.Pool().Put(b)
	}
}

// Close implements actors.Link.
func (l *link) Close(why error) {
	l.end(actors.ErrLinkClosed, func() {
		var text []byte
		if why != nil {
			text = []byte(why.Error())
		}
		_ = l.c.Conn.Publish(l.c.closing(l.id)+"."+l.mine, text) // who does not hear it misses the beats
	})
}

// fail ends the link for a reason of its own, or of the other end.
func (l *link) fail(why error) { l.end(why, func() {}) }

func (l *link) end(why error, tell func()) {
	l.once.Do(func() {
		tell()
		l.cancel(why)
		l.out.Fail(why)
		for _, s := range l.subs {
			_ = s.Unsubscribe() // of a connection that is closed
		}
	})
}

// over says whether the link has ended.
func (l *link) over() bool { return l.ctx.Err() != nil }
