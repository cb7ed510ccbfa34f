package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Sink writes Kafka topics; see New and Messages. Key, Topic, Headers and Time return a changed copy.
type Sink[T any] struct {
	cfg     Config
	value   func(dst []byte, v T) ([]byte, error)
	key     func(v T) []byte
	topic   func(v T) string
	headers func(v T) []Header
	time    func(v T) time.Time
	// whole makes the message of a value that is one; then the functions above change it.
	whole func(v T) Message
	given *handover
}

// New is a sink of values encoded by c. Without more they have no key and go round the partitions; their timestamp is
// their event time. A record that deletes another one becomes a null value under its key, and the value that an update
// replaces is left out; both need Key.
func New[T any](cfg Config, c codec.Codec[T]) Sink[T] {
	s := Sink[T]{cfg: cfg.withDefaults(), given: &handover{}}
	if c != nil {
		s.value = c.Append
	}
	return s
}

// Messages is a sink of whole messages: key, value, headers and timestamp are kept. They go to the topic of the
// configuration or, without one, to their own. One with a key goes where Java's default partitioner places the key; one
// without goes to the partition of its own number, modulo the number of partitions, so that the order of each input
// partition is kept.
func Messages(cfg Config) Sink[Message] {
	return Sink[Message]{cfg: cfg.withDefaults(), given: &handover{}, whole: func(m Message) Message { return m }}
}

// Key gives each record the key f makes. Records with a key go where Java's default partitioner places it; nil is none.
func (s Sink[T]) Key(f func(v T) []byte) Sink[T] {
	s.key = f
	return s
}

// Topic sends each record to the topic f names; "" is the one of the configuration.
func (s Sink[T]) Topic(f func(v T) string) Sink[T] {
	s.topic = f
	return s
}

// Headers gives each record the headers f makes.
func (s Sink[T]) Headers(f func(v T) []Header) Sink[T] {
	s.headers = f
	return s
}

// Time gives each record the timestamp f makes, instead of its event time.
func (s Sink[T]) Time(f func(v T) time.Time) Sink[T] {
	s.time = f
	return s
}

// Guarantee implements sinks.Guarantor.
func (s Sink[T]) Guarantee() string {
	if s.cfg.Guarantee == ExactlyOnce {
		return "exactly-once, visible with each epoch to readers of committed records"
	}
	return s.cfg.Guarantee.String()
}

// Check reports wrong configuration, brokers that cannot be reached and a topic that is missing.
func (s Sink[T]) Check(ctx context.Context) error {
	err := s.cfg.validate()
	if s.value == nil && s.whole == nil {
		err = errors.Join(err, errors.New("codec is nil"))
	}
	if s.cfg.Topic == "" && s.topic == nil && s.whole == nil {
		err = errors.Join(err, errors.New("no topic: set Config.Topic, or name one per record with Sink.Topic"))
	}
	if err != nil {
		return fmt.Errorf("kafka sink: %w", err)
	}
	var topics []string
	if s.cfg.Topic != "" {
		topics = append(topics, s.cfg.Topic)
	}
	if _, err = s.cfg.cluster().Metadata(ctx, topics...); err == nil && s.cfg.Guarantee == ExactlyOnce {
		err = s.cfg.checkTransactions(ctx)
	}
	return err
}

// Open makes a producer for one task. With ExactlyOnce it does not touch what older attempts have prepared.
func (s Sink[T]) Open(ctx context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	p := newProducer(s.cfg)
	w := writer[T]{sink: s, producer: p}
	if s.cfg.Guarantee == ExactlyOnce {
		p.txn = &transactions{producer: p, at: at, given: s.given, bell: make(chan struct{}, 1)}
		p.done.Go(p.txn.enroll)
		return &committer[T]{w}, nil
	}
	var err error
	if p.id, p.epoch, err = s.cfg.cluster().ProducerID(ctx); err != nil {
		return nil, fmt.Errorf("kafka sink: %w", err)
	}
	return &w, nil
}

// committer is a writer whose epochs are transactions.
type committer[T any] struct{ writer[T] }

// Write implements sinks.Writer. The first one of an epoch opens its transaction.
func (c *committer[T]) Write(ctx context.Context, b *flow.Batch[T]) error {
	if len(b.Records) == 0 {
		return nil
	}
	if err := c.txn.begin(ctx); err != nil {
		return err
	}
	return c.writer.Write(ctx, b)
}

// Prepare implements sinks.Committer.
func (c *committer[T]) Prepare(ctx context.Context, epoch flow.Epoch) ([]byte, error) {
	if err := c.Flush(ctx); err != nil {
		return nil, err
	}
	return c.txn.prepare(epoch)
}

// Commit implements sinks.Committer.
func (c *committer[T]) Commit(ctx context.Context, tokens [][]byte) error {
	for _, token := range tokens {
		if err := c.txn.commit(ctx, token); err != nil {
			return err
		}
	}
	return nil
}

// writer makes messages of records and gives them to its producer.
type writer[T any] struct {
	*producer
	sink    Sink[T]
	scratch []byte
	rounds  uint32
	nowMS   int64 // of this Write, once it was asked for
}

// Write implements sinks.Writer. It waits only while the buffer is full or a topic is met for the first time.
func (w *writer[T]) Write(ctx context.Context, b *flow.Batch[T]) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.end()
	w.nowMS = 0
	for i := range b.Records {
		if err := w.add(ctx, &b.Records[i], b.KindOf(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer[T]) add(ctx context.Context, r *flow.Record[T], kind flow.Kind) error {
	out := outgoing{topic: w.sink.cfg.Topic, timeMS: r.TimeNS / int64(time.Millisecond), partition: anyPartition}
	if w.sink.whole != nil {
		w.addWhole(&out, w.sink.whole(r.Value))
	}
	if w.sink.key != nil {
		out.key, out.shared = w.sink.key(r.Value), false
	}
	if kind != flow.Insert && kind != flow.UpdateAfter {
		if out.key == nil {
			return fmt.Errorf("kafka sink: record of kind %q without a key: use Sink.Key, so that it can replace the one before", kind)
		}
		if kind == flow.UpdateBefore {
			return nil
		}
		out.value, out.tombstone = nil, true
	} else if w.sink.value != nil {
		var err error
		if w.scratch, err = w.sink.value(w.scratch[:0], r.Value); err != nil {
			return fmt.Errorf("kafka sink: encode: %w", err)
		}
		out.value = w.scratch
	}
	if w.sink.topic != nil {
		if t := w.sink.topic(r.Value); t != "" {
			out.topic = t
		}
	}
	if w.sink.headers != nil {
		out.headers = w.sink.headers(r.Value)
	}
	if w.sink.time != nil {
		out.timeMS = w.sink.time(r.Value).UnixMilli()
	}
	if out.timeMS == 0 {
		out.timeMS = w.now()
	}
	return w.send(ctx, &out)
}

// now is the time of this Write, for records without one.
func (w *writer[T]) now() int64 {
	if w.nowMS == 0 {
		w.nowMS = time.Now().UnixMilli()
	}
	return w.nowMS
}

func (w *writer[T]) addWhole(out *outgoing, m Message) {
	if out.topic == "" {
		out.topic = m.Topic
	}
	out.key, out.value, out.headers, out.partition = m.Key, m.Value, m.Headers, m.Partition
	out.tombstone, out.shared = m.Value == nil, true
	if !m.Time.IsZero() {
		out.timeMS = m.Time.UnixMilli()
	}
}

// send finds the partition and appends the record to its batch.
func (w *writer[T]) send(ctx context.Context, out *outgoing) error {
	if out.topic == "" {
		return errors.New("kafka sink: record without a topic: set Config.Topic, or name one with Sink.Topic")
	}
	t, err := w.topicOf(ctx, out.topic)
	if err != nil {
		return err
	}
	switch n := len(t.partitions); {
	case out.key != nil:
		out.partition = partitionOf(out.key, n)
	case out.partition >= 0:
		out.partition %= int32(n)
	default:
		out.partition = int32(w.rounds % uint32(n))
		w.rounds++
	}
	w.append(t.partitions[out.partition], out)
	return nil
}

const anyPartition = -1

// outgoing is a record on its way into a batch.
type outgoing struct {
	topic      string
	partition  int32 // anyPartition = none wanted
	key, value []byte
	tombstone  bool // the value is null, not empty
	shared     bool // key and value are never changed, so a batch need not copy them
	headers    []Header
	timeMS     int64
}
