package natssink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/internal/nats"
)

const (
	backOffFirst = 20 * time.Millisecond
	backOffMost  = 2 * time.Second
	looks        = 8 // within AckTimeout, at the age of what waits
)

// answered takes the server's answer to a message.
func (p *publisher) answered(l *link, m *client.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, l.inbox), 10, 64)
	if err != nil {
		return // of nobody
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		p.report(fault{l, p.subjectOf(number), client.ErrNoResponders})
		return
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	err = json.Unmarshal(m.Data, &answer)
	switch {
	case err == nil && answer.Error == nil:
		p.acknowledged(l, number)
	case err == nil && nats.IsBusy(answer.Error):
		p.report(fault{l, p.subjectOf(number), answer.Error})
	case err == nil:
		p.fail(fmt.Errorf("nats sink: publish to %q: %w", p.subjectOf(number), answer.Error))
	default:
		p.fail(fmt.Errorf("nats sink: publish to %q: the answer is not JetStream's: does something else subscribe to the subject and reply? %w", p.subjectOf(number), err))
	}
}

func (p *publisher) subjectOf(number uint64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number < p.first || number-p.first >= uint64(len(p.kept)) || p.kept[number-p.first] == nil {
		return ""
	}
	return p.kept[number-p.first].msg.Subject
}

// tend replaces the connection when it breaks, when JetStream cannot take messages now, and when answers do not come.
func (p *publisher) tend(l *link) {
	look := time.NewTicker(max(p.cfg.AckTimeout/looks, time.Millisecond))
	defer look.Stop()
	for wait := backOffFirst; ; {
		f := fault{l, "", client.ErrConnectionClosed}
		select {
		case <-p.ctx.Done():
			l.conn.Close()
			return
		case <-l.conn.Closed():
		case f = <-p.faulty:
			if f.link != l {
				continue // it is of the connection before
			}
		case now := <-look.C:
			forLink, _ := p.overdue(now)
			if !forLink {
				wait = backOffFirst
				continue
			}
			f.err = fmt.Errorf("%w for %v", errSilent, p.cfg.AckTimeout)
		}
		p.mu.Lock()
		p.link = nil
		p.mu.Unlock()
		l.conn.Close()
		if l = p.replace(f, &wait); l == nil {
			return
		}
		p.attach(l)
	}
}

// replace connects until it succeeds; nil means that the publisher has failed or was closed.
func (p *publisher) replace(f fault, wait *time.Duration) *link {
	for {
		if _, forGood := p.overdue(time.Now()); forGood {
			p.fail(fmt.Errorf("nats sink: not delivered for %v: %w", p.cfg.DeliveryTimeout, f.err))
			return nil
		}
		if pause(p.ctx, *wait) != nil {
			return nil
		}
		*wait = min(2**wait, backOffMost)
		l, err := p.connect(p.ctx)
		if err == nil && errors.Is(f.err, client.ErrNoResponders) && f.subject != "" {
			if err = orphan(p.ctx, l.conn, f.subject); err != nil {
				l.conn.Close()
			}
		}
		switch {
		case err == nil:
			return l
		case p.ctx.Err() != nil:
			return nil
		case !nats.IsTransient(err):
			p.fail(fmt.Errorf("nats sink: %w", err))
			return nil
		}
		f.err = err
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
