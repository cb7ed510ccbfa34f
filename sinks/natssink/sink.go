package natssink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats"
	"github.com/millrace-io/millrace/sinks"
)

// Sink writes to streams; see New and Messages. Subject, Headers and ID return a changed copy.
type Sink[T any] struct {
	cfg     Config
	data    func(dst []byte, v T) ([]byte, error)
	subject func(v T) string
	headers func(v T) []Header
	id      func(v T) string
	// whole makes the message of a value that is one; then the functions above change it.
	whole func(v T) Message
}

// New is a sink of values encoded by c. The stream gives each message its own time; the event time is not written. A record that deletes
// another one becomes an empty message with the header KV-Operation: DEL, which is how JetStream's key-value buckets remove a key, and
// the value that an update replaces is left out; both need Subject.
func New[T any](cfg Config, c codec.Codec[T]) Sink[T] {
	s := Sink[T]{cfg: cfg.withDefaults()}
	if c != nil {
		s.data = c.Append
	}
	return s
}

// Messages is a sink of whole messages: data and headers are kept, but for headers whose names begin with Nats-, which told the server
// something about the message that was read. They go to the subject of the configuration or, without one, to their own.
func Messages(cfg Config) Sink[Message] {
	return Sink[Message]{cfg: cfg.withDefaults(), whole: func(m Message) Message { return m }}
}

// Subject sends each record to the subject f names; "" is the one of the configuration.
func (s Sink[T]) Subject(f func(v T) string) Sink[T] {
	s.subject = f
	return s
}

// Headers gives each record the headers f makes. Those that begin with Nats- tell the server something, such as Nats-TTL; Nats-Msg-Id is
// left out: use ID.
func (s Sink[T]) Headers(f func(v T) []Header) Sink[T] {
	s.headers = f
	return s
}

// ID gives each record the id f makes; "" is one of the writer's own. Of messages with the same id the stream stores the first
// within its duplicate window (2 minutes by default) and drops the others. So ids that belong to the record, not to the run, also keep
// what is written again after a restart from being stored again, within that window; and two records with one id become one message.
func (s Sink[T]) ID(f func(v T) string) Sink[T] {
	s.id = f
	return s
}

// Guarantee implements sinks.Guarantor.
func (s Sink[T]) Guarantee() string { return "at-least-once" }

// Check reports wrong configuration, servers that cannot be reached, and a subject that no stream takes.
func (s Sink[T]) Check(ctx context.Context) error {
	err := s.cfg.validate()
	if s.data == nil && s.whole == nil {
		err = errors.Join(err, errors.New("codec is nil"))
	}
	if s.cfg.Subject == "" && s.subject == nil && s.whole == nil {
		err = errors.Join(err, errors.New("no subject: set Config.Subject, or name one per record with Sink.Subject"))
	}
	if err == nil {
		err = s.cfg.check(ctx)
	}
	if err != nil {
		return fmt.Errorf("nats sink: %w", err)
	}
	return nil
}

// Open connects one task's writer.
func (s Sink[T]) Open(ctx context.Context, _ sinks.Instance) (sinks.Writer[T], error) {
	p, err := newPublisher(ctx, s.cfg)
	if err != nil {
		return nil, fmt.Errorf("nats sink: %w", err)
	}
	return &writer[T]{publisher: p, sink: s}, nil
}

// writer makes messages of records and gives them to its publisher.
type writer[T any] struct {
	*publisher
	sink Sink[T]
}

// Write implements sinks.Writer. It waits only while as much is in flight as may be.
func (w *writer[T]) Write(ctx context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		m, err := w.message(b.Records[i].Value, b.KindOf(i))
		if err == nil && m != nil {
			err = w.publish(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// message is nil for a record that is not written.
func (w *writer[T]) message(v T, kind flow.Kind) (m *client.Msg, err error) {
	m = &client.Msg{Subject: w.sink.cfg.Subject, Header: client.Header{}}
	if w.sink.whole != nil {
		addWhole(m, w.sink.whole(v))
	}
	if w.sink.subject != nil {
		if s := w.sink.subject(v); s != "" {
			m.Subject = s
		}
	}
	switch removes := kind != flow.Insert && kind != flow.UpdateAfter; {
	case removes && w.sink.subject == nil:
		return nil, fmt.Errorf("nats sink: record of kind %q: use Sink.Subject, so that it can replace the one before", kind)
	case kind == flow.UpdateBefore:
		return nil, nil
	case removes:
		m.Data = nil
		m.Header.Set(nats.Operation, nats.Removed)
	case w.sink.data != nil:
		if m.Data, err = w.sink.data(nil, v); err != nil {
			return nil, fmt.Errorf("nats sink: encode: %w", err)
		}
	}
	if err := nats.CheckSubject(m.Subject); err != nil {
		return nil, fmt.Errorf("nats sink: %w: set Config.Subject, or name one with Sink.Subject", err)
	}
	return m, w.addHeaders(m, v)
}

// addHeaders gives m the record's own headers and id.
func (w *writer[T]) addHeaders(m *client.Msg, v T) error {
	if w.sink.headers != nil {
		for _, h := range w.sink.headers(v) {
			m.Header.Add(h.Key, h.Value)
		}
	}
	m.Header.Del(client.MsgIdHdr)
	if w.sink.id != nil {
		if id := w.sink.id(v); id != "" {
			m.Header.Set(client.MsgIdHdr, id)
		}
	}
	for key, values := range m.Header {
		for _, value := range values {
			if key == "" || strings.ContainsAny(key, ": \r\n") || strings.ContainsAny(value, "\r\n") {
				return fmt.Errorf("nats sink: header %q of a message to %q is empty or has a colon, a space or a line break in it", key, m.Subject)
			}
		}
	}
	return nil
}

func addWhole(m *client.Msg, from Message) {
	if m.Subject == "" {
		m.Subject = from.Subject
	}
	m.Data = from.Data
	for _, h := range from.Headers {
		if !strings.HasPrefix(h.Key, "Nats-") {
			m.Header.Add(h.Key, h.Value)
		}
	}
}
