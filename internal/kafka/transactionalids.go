package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

// listTriesMax is longer than settleTriesMax by the tries that come sooner.
const listTriesMax = settleTriesMax + 5

// TransactionalIDs lists those that the brokers know and keep accepts, sorted. Open says whether the id has a transaction that is not over.
func (c Cluster) TransactionalIDs(ctx context.Context, keep func(id string, open bool) bool) ([]string, error) {
	wait := askAgainFirst // an answer that was lost is not waited for
	for try := 1; ; try++ {
		ids, err := c.transactionalIDs(ctx, keep)
		if err == nil || ctx.Err() != nil || try == listTriesMax || !IsTransient(err) {
			slices.Sort(ids)
			return slices.Compact(ids), err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		wait = min(2*wait, settleEvery)
	}
}

// over are the states of an id without an open transaction.
var over = []string{"Empty", "CompleteCommit", "CompleteAbort", "Dead"}

func (c Cluster) transactionalIDs(ctx context.Context, keep func(id string, open bool) bool) (ids []string, err error) {
	m, err := c.metadata(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, addr := range m.addrs {
		states, err := c.askTransactions(ctx, addr)
		if err != nil {
			return nil, fmt.Errorf("list the transactions of %q: %w", addr, err)
		}
		for _, s := range states {
			if keep(s.TransactionalID, !slices.Contains(over, s.TransactionState)) {
				ids = append(ids, s.TransactionalID)
			}
		}
	}
	return ids, nil
}

func (c Cluster) askTransactions(ctx context.Context, addr string) ([]sarama.ListTransactionsResponseTransactionState, error) {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var res *sarama.ListTransactionsResponse
	err = conn.Do(ctx, func() (err error) {
		res, err = conn.ListTransactions(&sarama.ListTransactionsRequest{DurationFilter: -1})
		return err
	})
	if err == nil && res.ErrorCode != sarama.ErrNoError {
		err = res.ErrorCode
	}
	if err != nil {
		return nil, err
	}
	return res.TransactionStates, nil
}
