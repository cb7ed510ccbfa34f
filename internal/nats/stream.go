package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Extent is what a stream holds at a moment.
type Extent struct {
	First, Last uint64 // sequences; First is Last+1 when it holds nothing
	Created     time.Time
}

// Stream asks for the stream called name. One that is missing is an error that lists others.
func (c *Conn) Stream(ctx context.Context, name string) (found jetstream.Stream, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		found, err = c.JetStream.Stream(ctx, name)
		return err
	})
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("stream %q: %w: create it, or use one of %q", name, jetstream.ErrStreamNotFound, c.names(ctx))
	case err != nil:
		return nil, fmt.Errorf("stream %q: %w", name, c.explain(err))
	}
	return found, nil
}

// explain tells the ways in which a server without JetStream answers from one that is not ready.
func (c *Conn) explain(err error) error {
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: start the server with -js, or enable it for the account", err)
	}
	if errors.Is(err, client.ErrNoResponders) {
		return fmt.Errorf("%w: is JetStream enabled on the server, and is domain %q right?", err, c.server.Domain)
	}
	return err
}

// namesMax is how many streams an error names.
const namesMax = 20

func (c *Conn) names(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	list := c.JetStream.StreamNames(ctx)
	for name := range list.Name() {
		if len(names) < namesMax {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Extent asks the stream's leader.
func (c *Conn) Extent(ctx context.Context, s jetstream.Stream) (Extent, error) {
	var info *jetstream.StreamInfo
	err := c.ask(ctx, func(ctx context.Context) (err error) {
		info, err = s.Info(ctx)
		return err
	})
	if err != nil {
		return Extent{}, fmt.Errorf("stream %q: %w", s.CachedInfo().Config.Name, c.explain(err))
	}
	return extent(info), nil
}

func extent(info *jetstream.StreamInfo) Extent {
	e := Extent{First: info.State.FirstSeq, Last: info.State.LastSeq, Created: info.Created}
	if info.State.Msgs == 0 {
		e.First = e.Last + 1
	}
	return e
}

// API is the subject of a request to JetStream.
func (c *Conn) API(request string) string {
	if c.server.Domain != "" {
		return "$JS." + c.server.Domain + ".API." + request
	}
	return "$JS.API." + request
}

// Found is a message that is there.
type Found struct {
	Sequence uint64
	Time     time.Time
}

// Next finds the first message of a subject from sequence from on; nil when there is none. The stream's leader answers, as Extent does:
// what it has not, nobody has.
func (c *Conn) Next(ctx context.Context, stream string, from uint64, subject string) (*Found, error) {
	body, err := json.Marshal(map[string]any{"seq": from, "next_by_subj": subject})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64    `json:"seq"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	err = c.ask(ctx, func(ctx context.Context) error {
		res, err := c.RequestWithContext(ctx, c.API("STREAM.MSG.GET."+stream), body)
		if err != nil {
			return err
		}
		return json.Unmarshal(res.Data, &answer)
	})
	switch {
	case err == nil && answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil
	case err == nil && answer.Error != nil:
		err = answer.Error
	}
	if err != nil {
		return nil, fmt.Errorf("stream %q, message behind sequence %d: %w", stream, from, c.explain(err))
	}
	return &Found{answer.Message.Sequence, answer.Message.Time}, nil
}

// SequenceAt finds the first message that was stored at t or later; the sequence behind the last one when there is none.
func (c *Conn) SequenceAt(ctx context.Context, stream string, e Extent, t time.Time) (uint64, error) {
	from, behind := e.First, e.Last+1
	for from < behind {
		middle := from + (behind-from)/2
		m, err := c.Next(ctx, stream, middle, ">")
		switch {
		case err != nil:
			return 0, err
		case m == nil || m.Sequence >= behind || !m.Time.Before(t):
			behind = middle
		default:
			from = m.Sequence + 1
		}
	}
	return from, nil
}

// StreamOf is the name of the stream that takes subject.
func (c *Conn) StreamOf(ctx context.Context, subject string) (name string, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		name, err = c.JetStream.StreamNameBySubject(ctx, subject)
		return err
	})
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return "", fmt.Errorf("subject %q: no stream takes it: %w: add it to one, of %q, or create one", subject, jetstream.ErrStreamNotFound, c.names(ctx))
	case err != nil:
		return "", fmt.Errorf("subject %q: %w", subject, c.explain(err))
	}
	return name, nil
}

// HasJetStream reports a server or an account without it.
func (c *Conn) HasJetStream(ctx context.Context) error {
	err := c.ask(ctx, func(ctx context.Context) error {
		_, err := c.JetStream.AccountInfo(ctx)
		return err
	})
	if err != nil {
		return c.explain(err)
	}
	return nil
}
