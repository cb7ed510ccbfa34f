package natssource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/internal/nats"
)

const (
	pullExpires    = 30 * time.Second // after that the server wants to be asked again
	heartbeatEvery = 5 * time.Second  // of the server while it has no message
	silenceMax     = 2*heartbeatEvery + time.Second
	headerBytes    = 64 << 10 // what a message may take beside its data
	oversizeMax    = 3        // answers in a row that hold nothing but that a message was too large
	statusesMax    = 64       // answers without a message that may wait among those with one: a few of each request
)

// puller asks the server for the messages of a consumer, as many as may wait here. The client library's own iterator keeps them in
// a channel that answers without a message fill too, and what does not fit is dropped.
type puller struct {
	conn     *nats.Conn
	sub      *client.Subscription
	subject  string
	most     int // messages that may wait
	bytes    int // of one answer
	asked    int // messages asked for that have not come
	oversize int // answers in a row
}

func newPuller(conn *nats.Conn, cfg Config, consumer string) (*puller, error) {
	sub, err := conn.SubscribeSync(conn.NewInbox())
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		return nil, err
	}
	return &puller{
		conn: conn, sub: sub, subject: conn.API("CONSUMER.MSG.NEXT." + cfg.Stream + "." + consumer),
		most: cfg.FetchMessages, bytes: max(cfg.FetchBytes, int(conn.MaxPayload())+headerBytes),
	}, nil
}

// next waits for a message; n is its number.
func (p *puller) next(n uint64) (*client.Msg, error) {
	for {
		if p.asked <= p.most/2 {
			if err := p.ask(p.most - p.asked); err != nil {
				return nil, err
			}
		}
		m, err := p.sub.NextMsg(silenceMax)
		if err != nil {
			return nil, err
		}
		if len(m.Data) > 0 || m.Header.Get("Status") == "" {
			p.asked, p.oversize = p.asked-1, 0
			return m, nil
		}
		if err := p.told(m.Header, n); err != nil {
			return nil, err
		}
	}
}

func (p *puller) ask(messages int) error {
	body, err := json.Marshal(map[string]any{
		"batch": messages, "max_bytes": p.bytes, "expires": pullExpires.Nanoseconds(), "idle_heartbeat": heartbeatEvery.Nanoseconds(),
	})
	if err != nil {
		return err
	}
	p.asked += messages
	return p.conn.PublishRequest(p.subject, p.sub.Subject, body)
}

var errOversize = errors.New("the next message is larger than what the server takes: set Config.FetchBytes to more than its size")

// told is an answer without a message: the server is there, or gives less than it was asked for, or nothing any more.
func (p *puller) told(h client.Header, n uint64) error {
	what := h.Get("Description")
	if h.Get("Status") == "100" {
		if last, err := strconv.ParseUint(h.Get("Nats-Last-Consumer"), 10, 64); err == nil && last >= n {
			return fmt.Errorf("message %d of the consumer: %w", n, errLost)
		}
		return nil
	}
	fewer, err := strconv.Atoi(h.Get("Nats-Pending-Messages"))
	if err != nil {
		return fmt.Errorf("the server says %q: %w", what, client.ErrConnectionClosed)
	}
	p.asked = max(0, p.asked-fewer)
	if what == "Message Size Exceeds MaxBytes" {
		if p.oversize++; p.oversize > oversizeMax {
			return errOversize
		}
	}
	return nil
}

// stop ends a next that waits.
func (p *puller) stop() { _ = p.sub.Unsubscribe() }
