package kafkasource

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sources"
)

// Source reads Kafka topics; see New and Messages.
type Source[T any] struct {
	cfg    Config
	decode decoder[T]
	bare   bool // no codec was given

	mu    sync.Mutex
	begun map[string]flow.Position // where splits begin, as resolved when none were known; nil before
}

// decoder makes a value of a record.
type decoder[T any] func(p kafka.Partition, offset, timeMS int64, rec *sarama.Record) (T, error)

// New is a source of the values of the records, decoded by c, each with the record's timestamp as its time. What cannot
// be decoded, and a record without a value (a tombstone), is a dead letter.
func New[T any](cfg Config, c codec.Codec[T]) *Source[T] {
	return &Source[T]{cfg: cfg.withDefaults(), bare: c == nil, decode: func(_ kafka.Partition, _, _ int64, rec *sarama.Record) (T, error) {
		if rec.Value == nil {
			var none T
			return none, errTombstone
		}
		return c.Decode(rec.Value)
	}}
}

var errTombstone = errors.New("record without a value (a tombstone): use kafkasource.Messages to see deletions")

// Messages is a source of whole records, with key, headers and timestamp.
func Messages(cfg Config) *Source[Message] {
	return &Source[Message]{cfg: cfg.withDefaults(), decode: message}
}

// Check reports wrong configuration, brokers that cannot be reached and topics that are missing.
func (s *Source[T]) Check(ctx context.Context) error {
	if s.bare {
		return errors.New("kafka source: codec is nil")
	}
	pattern, err := s.cfg.validate()
	if err != nil {
		return err
	}
	m, topics, err := s.topics(ctx, pattern)
	if err != nil {
		return err
	}
	if len(topics) == 0 && s.DiscoverEveryNS() == 0 {
		return fmt.Errorf("kafka source: no topic matches pattern %q, and none is looked for later", s.cfg.Pattern)
	}
	return s.cfg.Start.exist(m)
}

// ReadsUncommitted implements sources.Uncommitted.
func (s *Source[T]) ReadsUncommitted() bool { return s.cfg.ReadUncommitted }

// DiscoverEveryNS implements sources.Discoverer.
func (s *Source[T]) DiscoverEveryNS() int64 {
	if s.cfg.Bounded || s.cfg.DiscoverEvery < 0 {
		return 0
	}
	return s.cfg.DiscoverEvery.Nanoseconds()
}

func (s *Source[T]) topics(ctx context.Context, pattern *regexp.Regexp) (*kafka.Metadata, []kafka.Topic, error) {
	m, err := s.cfg.cluster().Metadata(ctx, s.cfg.Topics...)
	if err != nil {
		return nil, nil, err
	}
	var topics []kafka.Topic
	for _, t := range m.Topics {
		if pattern == nil || !t.Internal && pattern.MatchString(t.Name) {
			topics = append(topics, t)
		}
	}
	return m, topics, nil
}

// Splits finds the partitions that are not known. Called again without any known it gives the same beginnings: "latest"
// is what was the latest at the first call.
func (s *Source[T]) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	pattern, err := s.cfg.validate()
	if err != nil {
		return nil, err
	}
	if s.cfg.Bounded && len(known) > 0 {
		return nil, nil
	}
	m, topics, err := s.topics(ctx, pattern)
	if err != nil {
		return nil, err
	}
	var found []kafka.Partition
	ids := make(map[string][16]byte, len(topics))
	for _, t := range topics {
		ids[t.Name] = t.ID
		for i := range t.Partitions() {
			if p := (kafka.Partition{Topic: t.Name, ID: int32(i)}); !slices.Contains(known, p.String()) {
				found = append(found, p)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(known) == 0 && s.begun == nil {
		if s.begun, err = s.begin(ctx, m, found, ids); err != nil {
			return nil, err
		}
	}
	splits := make([]flow.Split, len(found))
	for i, p := range found {
		start, ok := s.begun[p.String()]
		if !ok || len(known) > 0 {
			start = position{offsetEarliest, endNone, ids[p.Topic]}.append(nil)
		}
		splits[i] = flow.Split{ID: p.String(), Start: start}
	}
	return splits, nil
}

// begin resolves where the partitions begin, and end, at the first start of a lineage.
func (s *Source[T]) begin(ctx context.Context, m *kafka.Metadata, found []kafka.Partition, ids map[string][16]byte) (map[string]flow.Position, error) {
	committed := !s.cfg.ReadUncommitted
	starts, err := s.cfg.Start.resolve(ctx, s.cfg.cluster(), m, committed, found)
	if err != nil {
		return nil, err
	}
	var ends map[kafka.Partition]int64
	if s.cfg.Bounded {
		if ends, err = s.cfg.cluster().Offsets(ctx, m, kafka.Newest, committed, found); err != nil {
			return nil, err
		}
	}
	begun := make(map[string]flow.Position, len(found))
	for _, p := range found {
		end, ok := ends[p]
		if !ok {
			end = endNone
		}
		begun[p.String()] = position{starts[p], end, ids[p.Topic]}.append(nil)
	}
	return begun, nil
}

// Open connects to the leader of the split's partition. It checks that the position is still there, in the same topic.
func (s *Source[T]) Open(ctx context.Context, split flow.Split, from flow.Position) (sources.Reader[T], error) {
	f, err := s.fetcher(ctx, split, from, endNone)
	if err != nil {
		return nil, err
	}
	return newReader(f, s.decode), nil
}

// fetcher makes the fetcher of a split, from a position up to offset stop, and connects it.
func (s *Source[T]) fetcher(ctx context.Context, split flow.Split, from flow.Position, stop int64) (*fetcher, error) {
	if len(from) == 0 {
		from = split.Start
	}
	at, err := positionAt(from)
	if err != nil {
		return nil, fmt.Errorf("kafka source: split %q: %w", split.ID, err)
	}
	p, err := partition(split.ID)
	if err != nil {
		return nil, err
	}
	return s.connect(ctx, p, at, stop)
}

func partition(id string) (kafka.Partition, error) {
	topic, number, ok := strings.Cut(id, "/")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || topic == "" || n < 0 {
		return kafka.Partition{}, fmt.Errorf("kafka source: split %q is not topic/partition: is it another source's?", id)
	}
	return kafka.Partition{Topic: topic, ID: int32(n)}, nil
}

// connect makes the fetcher of partition p from position at, up to offset stop.
func (s *Source[T]) connect(ctx context.Context, p kafka.Partition, at position, stop int64) (*fetcher, error) {
	cluster := s.cfg.cluster()
	m, err := cluster.Metadata(ctx, p.Topic)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil, err
	}
	if err != nil {
		return nil, transient(err)
	}
	t, _ := m.Topic(p.Topic)
	if at.topic != [16]byte{} && t.ID != [16]byte{} && at.topic != t.ID {
		return nil, fmt.Errorf("kafka source: topic %q was deleted and created again since the position, offset %d of %s: "+
			"its offsets mean other records now; start a new lineage", p.Topic, at.next, p)
	}
	at.topic = t.ID
	addr, err := m.Leader(p.Topic, p.ID)
	if err != nil {
		return nil, transient(err)
	}
	conn, err := cluster.Dial(ctx, addr)
	if err != nil {
		return nil, transient(err)
	}
	kafka.MuteFetches(p.Topic)
	f := &fetcher{cfg: s.cfg, conn: conn, partition: p, at: at, stop: stop, bytes: s.cfg.FetchBytes}
	if err := f.locate(ctx); err != nil {
		conn.Close()
		return nil, transient(err)
	}
	return f, nil
}

// transient marks an error after which a new attempt to open the split may help. A topic that the cluster does not know
// is not one: at a fetch it may be stale knowledge of the leader, but then the attempt to open says so.
func transient(err error) error {
	if kafka.IsTransient(err) {
		return fmt.Errorf("%w: %w", sources.ErrDisconnected, err)
	}
	return err
}
