package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const requestTimeoutMS = 30_000

func createTopics(ctx context.Context, c *kgo.Client, names ...string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = requestTimeoutMS
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
		req.Topics = append(req.Topics, topic)
	}
	res, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range res.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("create topic %s: %w", t.Topic, err)
		}
	}
	return nil
}

func deleteTopics(ctx context.Context, c *kgo.Client, names ...string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames, req.TimeoutMillis = names, requestTimeoutMS
	for _, name := range names {
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
	}
	_, err := req.RequestWith(ctx, c)
	return err
}

// over are the states of transactions that are not open.
var over = []string{"Empty", "CompleteCommit", "CompleteAbort", "Dead"}

// openTransactions lists the open ones whose id has a prefix, with their states.
func openTransactions(ctx context.Context, c *kgo.Client, prefix string) (open []string, known int, err error) {
	for _, shard := range c.RequestSharded(ctx, kmsg.NewPtrListTransactionsRequest()) {
		if shard.Err != nil {
			return nil, 0, shard.Err
		}
		res, ok := shard.Resp.(*kmsg.ListTransactionsResponse)
		if !ok {
			return nil, 0, fmt.Errorf("list transactions: answered by %T", shard.Resp)
		}
		if err := kerr.ErrorForCode(res.ErrorCode); err != nil {
			return nil, 0, err
		}
		for _, t := range res.TransactionStates {
			if !strings.HasPrefix(t.TransactionalID, prefix) {
				continue
			}
			known++
			if !slices.Contains(over, t.TransactionState) {
				open = append(open, t.TransactionalID+" "+t.TransactionState)
			}
		}
	}
	return open, known, nil
}

// settleWithin is how long markers of the last commit may take behind its answer.
const settleWithin = 10 * time.Second

// settled waits until no transaction is open and says which are when that does not happen.
func settled(ctx context.Context, c *kgo.Client, prefix string) (open []string, known int, err error) {
	end := time.Now().Add(settleWithin)
	for {
		if open, known, err = openTransactions(ctx, c, prefix); err != nil || len(open) == 0 || time.Now().After(end) {
			return open, known, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, 0, err
		}
	}
}

// ends lists where the partitions of a topic end, for readers of committed records or of all.
func ends(ctx context.Context, c *kgo.Client, topic string, committed bool) ([]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for p := range int32(partitions) {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p, -1
		asked.Partitions = append(asked.Partitions, part)
	}
	req.Topics = append(req.Topics, asked)
	all := make([]int64, partitions)
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		res, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if !ok || len(res.Topics) != 1 {
			return nil, fmt.Errorf("list offsets of %s: answered by %T", topic, shard.Resp)
		}
		for _, part := range res.Topics[0].Partitions {
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				return nil, err
			}
			all[part.Partition] = part.Offset
		}
	}
	return all, nil
}

// hidden is how many offsets of a topic lie behind what readers of committed records can see: some transaction is open.
func hidden(ctx context.Context, c *kgo.Client, topic string) (n int64, err error) {
	visible, err := ends(ctx, c, topic, true)
	all, also := ends(ctx, c, topic, false)
	if err := errors.Join(err, also); err != nil {
		return 0, err
	}
	for p := range all {
		n += all[p] - visible[p]
	}
	return n, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
