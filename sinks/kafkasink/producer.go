package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/internal/kafka"
)

// producer sends batches to the leaders of their partitions, one request at a time to each leader, so that the order of a
// partition survives whatever is sent again. The writer's goroutine adds records; each leader has a sender goroutine.
type producer struct {
	cfg    Config
	id     int64 // of the idempotent producer; one for each writer
	epoch  int16
	ctx    context.Context // ends when the producer is closed
	cancel context.CancelFunc
	done   sync.WaitGroup // senders

	mu       sync.Mutex
	topics   map[string]*topic
	latest   *topic             // the one used last
	senders  map[string]*sender // by address
	touched  []*sender          // to be woken at the end of the Write under way
	buffered int                // size of all batches not acknowledged
	flushing bool
	free     []*batch
	err      error         // the first failure; nothing is sent after it
	changed  chan struct{} // closed and replaced when buffered falls or err is set

	txn *transactions // nil with AtLeastOnce
}

type topic struct {
	name       string
	partitions []*partition
}

func newProducer(cfg Config) *producer {
	p := &producer{cfg: cfg, topics: map[string]*topic{}, senders: map[string]*sender{}, changed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// begin waits until the buffer has room and takes the lock for a Write; end wakes the senders and gives it back.
func (p *producer) begin(ctx context.Context) error {
	p.mu.Lock()
	if p.full() {
		p.ringAll() // nothing lingers while a Write waits
	}
	err := p.wait(ctx, func() bool { return !p.full() })
	if err != nil {
		p.mu.Unlock()
	}
	return err
}

func (p *producer) full() bool { return p.buffered >= p.cfg.BufferBytes }

// ringAll wakes all senders, of which those with a linger may sleep. The lock is held.
func (p *producer) ringAll() {
	if p.cfg.Linger == 0 {
		return
	}
	for _, s := range p.senders {
		s.ring()
	}
}

func (p *producer) end() {
	for _, s := range p.touched {
		s.touched = false
		s.ring()
	}
	p.touched = p.touched[:0]
	if p.txn != nil {
		p.txn.ring()
	}
	p.mu.Unlock()
}

// wait waits for cond, which only acknowledgements make true. The lock is held, except while it waits.
func (p *producer) wait(ctx context.Context, cond func() bool) error {
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
func (p *producer) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.announce()
	}
}

// topicOf is the topic called name; one met for the first time is asked for, without the lock.
func (p *producer) topicOf(ctx context.Context, name string) (*topic, error) {
	if p.latest != nil && p.latest.name == name {
		return p.latest, nil
	}
	t, ok := p.topics[name]
	if !ok {
		p.mu.Unlock()
		m, err := p.find(ctx, name)
		p.mu.Lock()
		if err != nil {
			return nil, fmt.Errorf("kafka sink: %w", err)
		}
		found, _ := m.Topic(name)
		t = &topic{name: name, partitions: make([]*partition, found.Partitions())}
		for i := range t.partitions {
			addr, err := m.Leader(name, int32(i))
			if err != nil {
				return nil, fmt.Errorf("kafka sink: %w", err)
			}
			t.partitions[i] = &partition{topic: name, id: int32(i)}
			p.lead(t.partitions[i], addr)
		}
		p.topics[name] = t
	}
	p.latest = t
	return t, nil
}

// find asks for a topic until a broker answers.
func (p *producer) find(ctx context.Context, name string) (*kafka.Metadata, error) {
	began, wait := time.Now(), backOffFirst
	for {
		m, err := p.cfg.cluster().Metadata(ctx, name)
		if err == nil || errors.Is(err, sarama.ErrUnknownTopicOrPartition) || !kafka.IsTransient(err) || time.Since(began) >= p.cfg.DeliveryTimeout {
			return m, err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
		wait = min(2*wait, backOffMost)
	}
}

// lead makes the sender for addr the partition's. The lock is held.
func (p *producer) lead(part *partition, addr string) {
	s, ok := p.senders[addr]
	if !ok {
		s = &sender{producer: p, addr: addr, bell: make(chan struct{}, 1), partitions: map[*partition]struct{}{}}
		p.senders[addr] = s
		p.done.Go(s.run)
	}
	if part.sender != nil {
		delete(part.sender.partitions, part)
	}
	part.sender = s
	s.partitions[part] = struct{}{}
}

// append adds a record to its partition's last batch, or to a new one. The lock is held.
func (p *producer) append(part *partition, out *outgoing) {
	size := sizeOf(out)
	b := part.last()
	if b == nil || b.size+size > p.cfg.BatchBytes && len(b.records) > 0 {
		b = p.newBatch()
		part.queue = append(part.queue, b)
	}
	b.add(out, size)
	p.buffered += size
	if p.txn != nil {
		p.txn.writes(part)
	}
	if s := part.sender; !s.touched {
		s.touched = true
		p.touched = append(p.touched, s)
	}
}

func (p *producer) newBatch() *batch {
	b := &batch{}
	if n := len(p.free); n > 0 {
		b, p.free = p.free[n-1], p.free[:n-1]
	}
	if p.cfg.Linger > 0 {
		b.born = time.Now()
	}
	return b
}

// freeMax is how many batches are kept for use again.
const freeMax = 16

// delivered takes the acknowledged batch off its partition. The lock is held.
func (p *producer) delivered(part *partition) {
	b := part.queue[0]
	n := copy(part.queue, part.queue[1:])
	part.queue[n] = nil
	part.queue = part.queue[:n]
	part.inFlight = false
	p.buffered -= b.size
	if len(p.free) < freeMax {
		b.reset()
		p.free = append(p.free, b)
	}
}

// Flush returns when everything written is acknowledged.
func (p *producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flushing = true
	defer func() { p.flushing = false }()
	p.ringAll()
	return p.wait(ctx, func() bool { return p.buffered == 0 })
}

// Close gives up what is not acknowledged.
func (p *producer) Close() error {
	p.cancel()
	p.done.Wait()
	if p.txn != nil {
		p.txn.close()
	}
	return nil
}

// refresh finds the leaders of topics again and gives the partitions to their senders.
func (p *producer) refresh(topics []string) error {
	m, err := p.cfg.cluster().Metadata(p.ctx, topics...)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range topics {
		for _, part := range p.topics[name].partitions {
			addr, err := m.Leader(name, part.id)
			if err != nil {
				return err
			}
			if part.sender.addr != addr && !part.inFlight {
				p.lead(part, addr)
				part.sender.ring()
			}
		}
	}
	return nil
}

// explain adds to a broker's refusal what can be done.
func explain(err error) string {
	switch {
	case errors.Is(err, sarama.ErrMessageSizeTooLarge):
		return ": raise the topic's max.message.bytes, or lower Config.BatchBytes when no single record is too large"
	case errors.Is(err, sarama.ErrInvalidTimestamp):
		return ": the topic's message.timestamp.* limits refuse it: give another one with Sink.Time"
	case errors.Is(err, sarama.ErrOutOfOrderSequenceNumber), errors.Is(err, sarama.ErrUnknownProducerID):
		return ": the broker lost what it knew of this producer; the next attempt uses a new one"
	}
	return ""
}
