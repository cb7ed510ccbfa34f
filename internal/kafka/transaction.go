package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Producer is the identity under which one transaction is written. No two transactions share one: see Transactions.Init.
type Producer struct {
	ID    int64
	Epoch int16
}

// NoProducer is nobody.
var NoProducer = Producer{-1, -1}

// Transactions speaks for one transactional id with its coordinator, one request at a time: it belongs to one goroutine at a
// time. A request whose answer is lost, or that comes too early, is repeated; all of them may be.
type Transactions struct {
	cluster  Cluster
	id       string
	patience time.Duration
	conn     *Conn // to the coordinator
}

// Transactions makes requests for a transactional id. Each is repeated for as long as patience says.
func (c Cluster) Transactions(id string, patience time.Duration) *Transactions {
	return &Transactions{cluster: c, id: id, patience: patience}
}

// ID is the transactional id.
func (t *Transactions) ID() string { return t.id }

// Close ends the connection, if there is one.
func (t *Transactions) Close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}

// Init makes a new producer of the id: a transaction of an older one that is open is aborted, and older ones are refused from
// now on. With before it does so only when that is the newest one; otherwise the error is IsFenced. The broker aborts a
// transaction that is open for longer than timeout.
func (t *Transactions) Init(ctx context.Context, before Producer, timeout time.Duration) (Producer, error) {
	var p Producer
	err := t.ask(ctx, "new producer", func() (sarama.KError, error) {
		res, err := t.conn.InitProducerID(&sarama.InitProducerIDRequest{
			Version: 4, TransactionalID: &t.id, TransactionTimeout: timeout, ProducerID: before.ID, ProducerEpoch: before.Epoch,
		})
		if err != nil {
			return 0, err
		}
		p = Producer{res.ProducerID, res.ProducerEpoch}
		return res.Err, nil
	})
	return p, err
}

// Add tells the coordinator the partitions of topics that p is about to write to, which opens its transaction.
func (t *Transactions) Add(ctx context.Context, p Producer, partitions map[string][]int32) error {
	return t.ask(ctx, "add partitions", func() (sarama.KError, error) {
		res, err := t.conn.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{
			Version: 3, TransactionalID: t.id, ProducerID: p.ID, ProducerEpoch: p.Epoch, TopicPartitions: partitions,
		})
		if err != nil {
			return 0, err
		}
		cause := sarama.ErrNoError
		for _, answers := range res.Errors {
			for _, a := range answers {
				// Those that were not tried say nothing about what is wrong.
				if a.Err != sarama.ErrNoError && (cause == sarama.ErrNoError || cause == sarama.ErrOperationNotAttempted) {
					cause = a.Err
				}
			}
		}
		return cause, nil
	})
}

// Commit commits p's transaction; one that was committed before stays so. An error that IsRefusal says nothing about whether it is.
func (t *Transactions) Commit(ctx context.Context, p Producer) error {
	return t.ask(ctx, "commit", func() (sarama.KError, error) {
		res, err := t.conn.EndTxn(&sarama.EndTxnRequest{
			Version: 3, TransactionalID: t.id, ProducerID: p.ID, ProducerEpoch: p.Epoch, TransactionResult: true,
		})
		if err != nil {
			return 0, err
		}
		return res.Err, nil
	})
}

const (
	askAgainFirst = 2 * time.Millisecond // a transaction that is being ended takes about as long
	askAgainMost  = time.Second
)

// ask makes a request of the coordinator until there is an answer that will not change.
func (t *Transactions) ask(ctx context.Context, what string, request func() (sarama.KError, error)) error {
	began, wait := time.Now(), askAgainFirst
	for {
		err := t.askOnce(ctx, request)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !IsTransient(err) && !errors.Is(err, sarama.ErrConcurrentTransactions):
			return fmt.Errorf("transactional id %q: %s: %w%s", t.id, what, err, explainTransaction(err))
		case time.Since(began) >= t.patience:
			return fmt.Errorf("transactional id %q: %s: no definite answer for %v: %w", t.id, what, t.patience, err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, askAgainMost)
	}
}

func (t *Transactions) askOnce(ctx context.Context, request func() (sarama.KError, error)) error {
	if t.conn == nil {
		var err error
		if t.conn, err = t.cluster.coordinator(ctx, t.id); err != nil {
			t.conn = nil
			return err
		}
	}
	answer := sarama.ErrNoError
	err := t.conn.Do(ctx, func() (err error) {
		answer, err = request()
		return err
	})
	moved := answer == sarama.ErrNotCoordinatorForConsumer || answer == sarama.ErrConsumerCoordinatorNotAvailable
	if err != nil || moved {
		t.Close()
	}
	if err == nil && answer != sarama.ErrNoError {
		return answer
	}
	return err
}

// coordinator connects to the coordinator of a transactional id.
func (c Cluster) coordinator(ctx context.Context, id string) (*Conn, error) {
	var errs []error
	for _, addr := range c.Brokers {
		found, err := c.findCoordinator(ctx, addr, id)
		if err == nil {
			return c.Dial(ctx, found)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, fmt.Errorf("find the coordinator through %q: %w", addr, err))
	}
	return nil, errors.Join(errs...)
}

func (c Cluster) findCoordinator(ctx context.Context, addr, id string) (string, error) {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var res *sarama.FindCoordinatorResponse
	err = conn.Do(ctx, func() (err error) {
		res, err = conn.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 3, CoordinatorKey: id, CoordinatorType: sarama.CoordinatorTransaction})
		return err
	})
	switch {
	case err != nil:
		return "", err
	case res.Err != sarama.ErrNoError:
		return "", res.Err
	case res.Coordinator == nil:
		return "", sarama.ErrConsumerCoordinatorNotAvailable
	}
	return res.Coordinator.Addr(), nil
}

// IsRefusal says whether a coordinator or broker refuses a producer because its transaction is over: committed, timed out, or
// aborted by a newer producer. Which of them it does not say.
func IsRefusal(err error) bool {
	return IsFenced(err) || errors.Is(err, sarama.ErrInvalidTxnState) || errors.Is(err, sarama.ErrInvalidProducerIDMapping)
}

// IsFenced says whether a producer is refused because its id has a newer epoch.
func IsFenced(err error) bool {
	return errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidProducerEpoch)
}

func explainTransaction(err error) string {
	switch {
	case errors.Is(err, sarama.ErrInvalidTransactionTimeout):
		return ": lower Config.TransactionTimeout, or raise the brokers' transaction.max.timeout.ms"
	case errors.Is(err, sarama.ErrProducerFenced): // which sarama has no text for
		return ": the producer is fenced, its transactional id has a newer one"
	case errors.Is(err, sarama.ErrTransactionalIDAuthorizationFailed):
		return ": the user needs WRITE on transactional ids that begin with Config.TransactionalIDPrefix"
	}
	return ""
}
