package natssource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats"
	"github.com/millrace-io/millrace/sources"
)

// Source reads a stream; see New and Messages.
type Source[T any] struct {
	cfg    Config
	decode decoder[T]
	bare   bool // no codec was given

	mu    sync.Mutex
	begun flow.Position // where splits begin, as resolved when none were known; nil before
}

// decoder makes a value of a message.
type decoder[T any] func(m *client.Msg, meta *client.MsgMetadata) (T, error)

// New is a source of the messages' data, decoded by c, each with the time when the stream stored it. What cannot be decoded is a dead
// letter, and so is the mark by which a key-value bucket removes a value.
func New[T any](cfg Config, c codec.Codec[T]) *Source[T] {
	return &Source[T]{cfg: cfg.withDefaults(), bare: c == nil, decode: func(m *client.Msg, _ *client.MsgMetadata) (T, error) {
		if op := m.Header.Get(nats.Operation); op == nats.Removed || op == nats.Purged {
			var none T
			return none, errRemoval
		}
		return c.Decode(m.Data)
	}}
}

var errRemoval = errors.New("message removes a value of a key-value bucket: use natssource.Messages to see removals")

// Messages is a source of whole messages, with subject, headers, sequence and time.
func Messages(cfg Config) *Source[Message] {
	return &Source[Message]{cfg: cfg.withDefaults(), decode: func(m *client.Msg, meta *client.MsgMetadata) (Message, error) {
		return Message{
			Subject: m.Subject, Headers: nats.Headers(m.Header), Data: m.Data,
			Sequence: meta.Sequence.Stream, Time: meta.Timestamp.UTC(),
		}, nil
	}}
}

// Check reports wrong configuration, servers that cannot be reached, and a stream that is missing or cannot be read.
func (s *Source[T]) Check(ctx context.Context) error {
	if s.bare {
		return errors.New("nats source: codec is nil")
	}
	if err := s.cfg.validate(); err != nil {
		return err
	}
	conn, _, err := s.connect(ctx)
	if err != nil {
		return err
	}
	conn.Close()
	return nil
}

// connect finds the stream, over a connection of its own.
func (s *Source[T]) connect(ctx context.Context) (*nats.Conn, jetstream.Stream, error) {
	conn, err := s.cfg.Server.Connect(ctx, client.SyncQueueLen(s.cfg.FetchMessages+statusesMax))
	if err != nil {
		return nil, nil, fmt.Errorf("nats source: %w", err)
	}
	stream, err := conn.Stream(ctx, s.cfg.Stream)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("nats source: %w", err)
	}
	if err := s.cfg.suits(stream.CachedInfo().Config); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, stream, nil
}

// Splits gives the subjects that are not known. Called again without any known it gives the same beginnings: "latest" is what was the
// latest at the first call.
func (s *Source[T]) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	if err := s.cfg.validate(); err != nil {
		return nil, err
	}
	for _, id := range known {
		if _, err := s.filter(id); err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, subject := range s.cfg.Subjects {
		if id := s.cfg.Stream + "/" + subject; !slices.Contains(known, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	start := s.begun
	if len(known) > 0 || start == nil {
		var err error
		if start, err = s.begin(ctx, len(known) > 0); err != nil {
			return nil, err
		}
	}
	if len(known) == 0 {
		s.begun = start
	}
	splits := make([]flow.Split, len(ids))
	for i, id := range ids {
		splits[i] = flow.Split{ID: id, Start: slices.Clone(start)}
	}
	return splits, nil
}

// begin resolves where splits begin, and end. Those that are added to a lineage begin at the beginning.
func (s *Source[T]) begin(ctx context.Context, added bool) (flow.Position, error) {
	conn, stream, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	extent, err := conn.Extent(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("nats source: %w", err)
	}
	at := position{next: earliest, end: endNone, created: extent.Created.UnixNano()}
	if s.cfg.Bounded {
		at.end = extent.Last + 1
	}
	if !added {
		if at.next, err = s.cfg.Start.resolve(ctx, conn, s.cfg.Stream, extent); err != nil {
			return nil, fmt.Errorf("nats source: %w", err)
		}
	}
	return at.append(nil), nil
}

// filter is the subject of a split. One that is not configured any more could be read besides another one with the same messages.
func (s *Source[T]) filter(id string) (string, error) {
	stream, subject, ok := strings.Cut(id, "/")
	switch {
	case !ok || subject == "":
		return "", fmt.Errorf("nats source: split %q is not stream/subject: is it another source's?", id)
	case stream != s.cfg.Stream || !slices.Contains(s.cfg.Subjects, subject):
		return "", fmt.Errorf("nats source: split %q was read before, and now stream %q with subjects %q is configured: add its subject, or start a new lineage",
			id, s.cfg.Stream, s.cfg.Subjects)
	}
	return subject, nil
}

// Open makes a consumer for the split. It checks that the position is still there, in the same stream.
func (s *Source[T]) Open(ctx context.Context, split flow.Split, from flow.Position) (sources.Reader[T], error) {
	f, err := s.fetcher(ctx, split, from, endNone)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, f)
}

func (s *Source[T]) read(ctx context.Context, f *fetcher) (sources.Reader[T], error) {
	if err := f.open(ctx); err != nil {
		f.conn.Close()
		return nil, transient(fmt.Errorf("nats source: consumer of %s from sequence %d: %w", f.split, f.at.next, err))
	}
	return newReader(f, s.decode), nil
}

// fetcher makes the fetcher of a split, from a position up to sequence stop, and connects it.
func (s *Source[T]) fetcher(ctx context.Context, split flow.Split, from flow.Position, stop uint64) (*fetcher, error) {
	if len(from) == 0 {
		from = split.Start
	}
	at, err := positionAt(from)
	if err != nil {
		return nil, fmt.Errorf("nats source: split %q: %w", split.ID, err)
	}
	subject, err := s.filter(split.ID)
	if err != nil {
		return nil, err
	}
	conn, stream, err := s.connect(ctx)
	if err != nil {
		return nil, transient(err)
	}
	f := &fetcher{cfg: s.cfg, conn: conn, stream: stream, split: split.ID, subject: subject, at: at, stop: stop}
	if err := f.locate(ctx); err != nil {
		conn.Close()
		return nil, transient(err)
	}
	return f, nil
}

// transient marks an error after which a new attempt to open the split may help.
func transient(err error) error {
	if nats.IsTransient(err) {
		return fmt.Errorf("%w: %w", sources.ErrDisconnected, err)
	}
	return err
}
