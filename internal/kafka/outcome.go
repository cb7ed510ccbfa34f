package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Outcome is how a transaction ended.
type Outcome uint8

// How a transaction may have ended. Unknown: the log does not tell, or not any more.
const (
	Unknown Outcome = iota
	Committed
	Aborted
)

// Place is where a record lies.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string {
	return fmt.Sprintf("%s/%d, offset %d", p.Topic, p.Partition, p.Offset)
}

// Outcome says how the transaction of p ended that wrote the record at a place. The log is the judge: behind the record stands
// the marker by which readers know what became of the transaction. It waits for one as long as patience says. With Unknown the
// error says why.
func (c Cluster) Outcome(ctx context.Context, at Place, p Producer, patience time.Duration) (Outcome, error) {
	MuteFetches(at.Topic)
	s := search{cluster: c, at: at, producer: p, next: at.Offset}
	defer s.disconnect()
	began, wait := time.Now(), askAgainFirst
	for {
		outcome, err := s.step(ctx)
		switch {
		case ctx.Err() != nil:
			return Unknown, ctx.Err()
		case err == nil && outcome != Unknown:
			return outcome, nil
		case err == nil:
			wait = askAgainFirst
			continue // more of the log
		case !IsTransient(err) && !errors.Is(err, errUndecided):
			return Unknown, err
		case time.Since(began) >= patience:
			return Unknown, fmt.Errorf("%v: nothing for %v: %w", at, patience, err)
		}
		if err := pause(ctx, wait); err != nil {
			return Unknown, err
		}
		wait = min(2*wait, askAgainMost)
	}
}

var errUndecided = errors.New("the transaction is still open")

// search looks for the end of a transaction in the log of a partition.
type search struct {
	cluster  Cluster
	at       Place
	producer Producer
	next     int64 // offset to go on from
	conn     *Conn // to the leader
}

func (s *search) disconnect() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// searchBytes is how much of the log is read at once.
const searchBytes = 1 << 20

// step reads on. Unknown without an error: it has come further.
func (s *search) step(ctx context.Context) (Outcome, error) {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return Unknown, err
		}
	}
	req := &sarama.FetchRequest{Version: 12, MinBytes: 1, MaxBytes: searchBytes, MaxWaitTime: int32(settleEvery / time.Millisecond), SessionEpoch: -1}
	req.AddBlock(s.at.Topic, s.at.Partition, s.next, searchBytes, -1)
	var res *sarama.FetchResponse
	err := s.conn.Do(ctx, func() (err error) {
		res, err = s.conn.Fetch(req)
		return err
	})
	if err != nil {
		s.disconnect()
		return Unknown, err
	}
	block := res.GetBlock(s.at.Topic, s.at.Partition)
	switch {
	case block == nil:
		return Unknown, sarama.ErrIncompleteResponse
	case block.Err != sarama.ErrNoError:
		s.disconnect()
		return Unknown, fmt.Errorf("%v: %w", s.at, block.Err)
	}
	began := s.next
	for _, set := range block.RecordsSet {
		b := set.RecordBatch
		if b == nil || b.PartialTrailingRecord || b.LastOffset() < s.next {
			continue
		}
		if outcome, err := s.look(b); outcome != Unknown || err != nil {
			return outcome, err
		}
		s.next = b.LastOffset() + 1
	}
	if s.next == began {
		return Unknown, errUndecided
	}
	return Unknown, nil
}

// connect connects to the leader. That a topic is missing is definite: Metadata has waited for it.
func (s *search) connect(ctx context.Context) error {
	m, err := s.cluster.Metadata(ctx, s.at.Topic)
	addr := ""
	if err == nil {
		addr, err = m.Leader(s.at.Topic, s.at.Partition)
	}
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return errors.New(err.Error())
	}
	if err != nil {
		return err
	}
	conn, err := s.cluster.Dial(ctx, addr)
	if err == nil {
		s.conn = conn
	}
	return err
}

// look looks at the next batch of the log.
func (s *search) look(b *sarama.RecordBatch) (Outcome, error) {
	ours := b.ProducerID == s.producer.ID
	switch {
	case s.next == s.at.Offset && (b.FirstOffset > s.at.Offset || !ours || b.Control || !b.IsTransactional || b.ProducerEpoch != s.producer.Epoch):
		return Unknown, fmt.Errorf("%v: the record there is not the transaction's: the topic is another, or was compacted", s.at)
	case !ours || !b.Control && b.ProducerEpoch == s.producer.Epoch:
		return Unknown, nil
	}
	switch m := marks(b); {
	case m == Aborted:
		return Aborted, nil
	case m == Committed && b.ProducerEpoch == s.producer.Epoch:
		return Committed, nil
	}
	return Unknown, fmt.Errorf("%v: the transaction's end is missing: the topic was compacted", s.at)
}

// marks says what a control batch says about the transaction that it ends: its key is a version and a type, both int16.
func marks(b *sarama.RecordBatch) Outcome {
	if !b.Control || len(b.Records) == 0 || len(b.Records[0].Key) < 4 {
		return Unknown
	}
	switch binary.BigEndian.Uint16(b.Records[0].Key[2:]) {
	case 0:
		return Aborted
	case 1:
		return Committed
	}
	return Unknown
}
