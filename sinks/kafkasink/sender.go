package kafkasink

import (
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/kafka"
)

// sender sends to one broker what it leads. It waits for each answer; meanwhile batches fill.
type sender struct {
	producer *producer
	addr     string
	bell     chan struct{} // holds one

	partitions map[*partition]struct{} // that it leads; guarded by the producer's mutex
	touched    bool                    // is in producer.touched

	conn    *kafka.Conn // owned by run
	backOff time.Duration
}

const (
	backOffFirst = 50 * time.Millisecond
	backOffMost  = 2 * time.Second
)

func (s *sender) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

func (s *sender) run() {
	defer func() {
		if s.conn != nil {
			s.conn.Close()
		}
	}()
	for {
		ready, wait := s.gather()
		if len(ready) == 0 {
			if !s.sleep(wait) {
				return
			}
			continue
		}
		failed, err := s.send(ready)
		if s.producer.ctx.Err() != nil {
			return
		}
		if len(failed) > 0 && !s.recover(failed, err) {
			return
		}
	}
}

// sleep waits for the bell, or for wait when it is positive. false means that the producer is closed.
func (s *sender) sleep(wait time.Duration) bool {
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-s.bell:
	case <-timeout:
	case <-s.producer.ctx.Done():
		return false
	}
	return s.producer.ctx.Err() == nil
}

// flight is the batch of a partition that is in flight. It is the sender's alone until it is delivered.
type flight struct {
	*partition
	batch *batch
}

// gather takes the first batch of each partition into flight, up to the size of a request. Without one it says how long
// the first lingers, 0 when there is nothing at all.
func (s *sender) gather() (ready []flight, wait time.Duration) {
	p := s.producer
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, 0
	}
	var now time.Time
	size := 0
	for part := range s.partitions {
		if len(part.queue) == 0 || part.inFlight || p.txn != nil && part.standing != added {
			continue
		}
		b := part.queue[0]
		if p.cfg.Linger > 0 && !p.flushing && !p.full() && !b.sent && len(part.queue) == 1 {
			if now.IsZero() {
				now = time.Now()
			}
			if rest := p.cfg.Linger - now.Sub(b.born); rest > 0 {
				if wait == 0 || rest < wait {
					wait = rest
				}
				continue
			}
		}
		if size > 0 && size+b.size > requestBytesMax {
			continue
		}
		size += b.size
		part.inFlight = true
		part.number(b)
		ready = append(ready, flight{part, b})
	}
	return ready, wait
}

// send sends the first batches of ready and takes the acknowledged ones off. It returns the partitions whose batch must be
// sent again, and why.
func (s *sender) send(ready []flight) (failed []flight, err error) {
	p := s.producer
	req := &sarama.ProduceRequest{
		RequiredAcks: sarama.WaitForAll,
		Timeout:      int32(kafka.RequestTimeout / time.Millisecond),
		Version:      10,
	}
	if p.txn != nil {
		id := p.txn.current.ID()
		req.TransactionalID = &id
	}
	for _, f := range ready {
		if f.batch.tried.IsZero() {
			f.batch.tried = time.Now()
		}
		req.AddBatch(f.topic, f.id, f.batch.encode(p))
	}
	fault.Point("kafka/produce")
	fault.Soon("kafka/produce-under-way")
	res, err := s.produce(req)
	fault.Point("kafka/produced")
	if err != nil {
		if !kafka.IsTransient(err) {
			p.fail(fmt.Errorf("kafka sink: produce to %q: %w", s.addr, err))
		}
		return ready, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range ready {
		switch err := answer(res, f.partition); {
		case err == nil:
			if p.txn != nil {
				p.txn.wrote(f.partition, res.GetBlock(f.topic, f.id).Offset)
			}
			p.delivered(f.partition)
		case kafka.IsTransient(err):
			failed = append(failed, f)
		case p.err == nil && p.txn != nil && kafka.IsRefusal(err):
			p.err = p.txn.failed(fmt.Errorf("produce to %s/%d: %w", f.topic, f.id, err))
		case p.err == nil:
			p.err = fmt.Errorf("kafka sink: produce to %s/%d: %w%s", f.topic, f.id, err, explain(err))
		}
	}
	p.announce()
	if len(failed) > 0 {
		return failed, answer(res, failed[0].partition)
	}
	s.backOff = 0
	return nil, nil
}

// answer is the broker's answer about a partition. A repetition that it has already is a success.
func answer(res *sarama.ProduceResponse, part *partition) error {
	block := res.GetBlock(part.topic, part.id)
	switch {
	case block == nil:
		return sarama.ErrIncompleteResponse
	case block.Err == sarama.ErrNoError, block.Err == sarama.ErrDuplicateSequenceNumber:
		return nil
	}
	return block.Err
}

// produce sends one request, over a new connection when there is none. A connection with an error is not used again.
func (s *sender) produce(req *sarama.ProduceRequest) (res *sarama.ProduceResponse, err error) {
	ctx := s.producer.ctx
	if s.conn == nil {
		if s.conn, err = s.producer.cfg.cluster().Dial(ctx, s.addr); err != nil {
			s.conn = nil
			return nil, err
		}
	}
	err = s.conn.Do(ctx, func() (err error) {
		res, err = s.conn.Produce(req)
		return err
	})
	if err != nil {
		s.conn.Close()
		s.conn = nil
	}
	return res, err
}

// recover waits a little, finds the leaders of what failed again and makes it ready to be sent, with the same sequence. It
// fails the producer when a batch has been tried for too long. false means that the sender ends.
func (s *sender) recover(failed []flight, cause error) bool {
	p := s.producer
	var topics []string
	oldest := time.Now()
	for _, f := range failed {
		if !slices.Contains(topics, f.topic) {
			topics = append(topics, f.topic)
		}
		if f.batch.tried.Before(oldest) {
			oldest = f.batch.tried
		}
	}
	if time.Since(oldest) > p.cfg.DeliveryTimeout {
		p.fail(fmt.Errorf("kafka sink: produce to %s/%d: not delivered for %v: %w", failed[0].topic, failed[0].id, p.cfg.DeliveryTimeout, cause))
		return false
	}
	s.backOff = min(max(2*s.backOff, backOffFirst), backOffMost)
	t := time.NewTimer(s.backOff)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
		return false
	}
	p.mu.Lock()
	for _, f := range failed {
		f.inFlight = false
	}
	p.mu.Unlock()
	_ = p.refresh(topics) // when no broker answers, what is known now is tried again, until the time is over
	return p.ctx.Err() == nil
}
