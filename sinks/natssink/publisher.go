package natssink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/internal/nats"
)

// publisher sends messages and keeps each until the stream has acknowledged it. The writer's goroutine adds messages; the client
// library's brings acknowledgements; tend replaces the connection, which sends what is kept again, in order.
type publisher struct {
	cfg    Config
	prefix string // of the ids of this writer's messages
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup // tend
	faulty chan fault     // an answer that asks for a new connection

	mu      sync.Mutex
	link    *link       // nil while there is none
	kept    []*outgoing // not acknowledged, in order, and those behind one that is not
	first   uint64      // number of kept[0]
	bytes   int         // of kept
	err     error       // the first failure; nothing is sent after it
	changed chan struct{}
}

// outgoing is a message on its way.
type outgoing struct {
	msg   *client.Msg
	size  int
	tried time.Time // when it was first sent
	sent  time.Time // over the present connection
	acked bool
}

// fault is why a connection is replaced.
type fault struct {
	link    *link
	subject string // of the message that was refused
	err     error
}

func newPublisher(ctx context.Context, cfg Config) (*publisher, error) {
	p := &publisher{cfg: cfg, prefix: rand.Text() + "-", first: 1, changed: make(chan struct{}), faulty: make(chan fault, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	l, err := p.connect(ctx)
	if err != nil {
		p.cancel()
		return nil, err
	}
	p.attach(l)
	p.done.Go(func() { p.tend(l) })
	return p, nil
}

// publish keeps m and sends it. It waits while too much is kept.
func (p *publisher) publish(ctx context.Context, m *client.Msg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &outgoing{msg: m, size: m.Size()}
	err := p.wait(ctx, func() bool {
		return len(p.kept) == 0 || len(p.kept) < p.cfg.InFlight && p.bytes+out.size <= p.cfg.InFlightBytes
	})
	if err != nil {
		return err
	}
	number := p.first + uint64(len(p.kept))
	if m.Header.Get(client.MsgIdHdr) == "" {
		m.Header.Set(client.MsgIdHdr, p.prefix+strconv.FormatUint(number, 10))
	}
	if p.cfg.Stream != "" {
		m.Header.Set(client.ExpectedStreamHdr, p.cfg.Stream)
	}
	out.tried = time.Now()
	p.kept, p.bytes = append(p.kept, out), p.bytes+out.size
	p.send(number, out, out.tried)
	return p.err
}

// send sends a kept message over the present connection, if there is one. The lock is held.
func (p *publisher) send(number uint64, out *outgoing, now time.Time) {
	if p.link == nil {
		return
	}
	out.sent, out.msg.Reply = now, p.link.inbox+strconv.FormatUint(number, 10)
	err := p.link.conn.PublishMsg(out.msg)
	if errors.Is(err, client.ErrMaxPayload) {
		p.failed(fmt.Errorf("nats sink: message of %d bytes to %q: %w: the server takes %d bytes",
			out.size, out.msg.Subject, err, p.link.conn.MaxPayload()))
	} else if err != nil {
		p.report(fault{p.link, "", err})
	}
}

// report asks tend for another connection; one request is enough.
func (p *publisher) report(f fault) {
	select {
	case p.faulty <- f:
	default:
	}
}

// acknowledged lets go of a message that is stored, and of those before it that were waiting to be let go.
func (p *publisher) acknowledged(l *link, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l != p.link || number < p.first || number-p.first >= uint64(len(p.kept)) {
		return
	}
	p.kept[number-p.first].acked = true
	n := 0
	for n < len(p.kept) && p.kept[n].acked {
		p.bytes -= p.kept[n].size
		p.kept[n] = nil
		n++
	}
	if n > 0 {
		p.kept, p.first = p.kept[n:], p.first+uint64(n)
		p.announce()
	}
}

// attach makes l the connection and sends what is kept over it.
func (p *publisher) attach(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
	now := time.Now()
	for i, out := range p.kept {
		if !out.acked {
			p.send(p.first+uint64(i), out, now)
		}
	}
}

// wait waits for cond, which only acknowledgements make true. The lock is held, except while it waits.
func (p *publisher) wait(ctx context.Context, cond func() bool) error {
	for {
		if p.err != nil {
			return p.err
		}
		if cond() {
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
			p.mu.Lock()
		case <-ctx.Done():
			p.mu.Lock()
			return ctx.Err()
		}
	}
}

// announce wakes who waits. The lock is held.
func (p *publisher) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// failed ends the publishing. The lock is held.
func (p *publisher) failed(err error) {
	if p.err == nil {
		p.err = err
		p.announce()
	}
}

func (p *publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed(err)
}

// Flush returns when everything written is stored.
func (p *publisher) Flush(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wait(ctx, func() bool { return len(p.kept) == 0 })
}

// Close gives up what is not acknowledged.
func (p *publisher) Close() error {
	p.cancel()
	p.done.Wait()
	return nil
}

// errSilent: nothing came for Config.AckTimeout.
var errSilent = errors.New("no acknowledgement came")

// overdue says what is wrong when the oldest message has waited for too long: for this connection, or for good.
func (p *publisher) overdue(now time.Time) (forLink, forGood bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) == 0 {
		return false, false
	}
	oldest := p.kept[0]
	return now.Sub(oldest.sent) >= p.cfg.AckTimeout, now.Sub(oldest.tried) >= p.cfg.DeliveryTimeout
}

// connect makes a connection with a subject for answers.
func (p *publisher) connect(ctx context.Context) (*link, error) {
	conn, err := p.cfg.Server.Connect(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, inbox: conn.NewInbox() + "."}
	sub, err := conn.Subscribe(l.inbox+"*", func(m *client.Msg) { p.answered(l, m) })
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // there are no more answers than messages in flight
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// link is one connection of a publisher.
type link struct {
	conn  *nats.Conn
	inbox string // what the subjects of answers begin with; the number of the message follows
}
