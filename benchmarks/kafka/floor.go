package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// job is one copy: the first records of a topic into another one with as many partitions.
type job struct {
	brokers    []string
	in, out    string
	partitions int
	records    int64
}

// copier copies until all records of the job are acknowledged.
type copier func(ctx context.Context, j job) error

// copyFloor is the loop that an engineer would write with sarama: a goroutine per input partition hands what it consumes
// to one asynchronous producer. It stores no offsets and survives no failure. A record stays in its partition, and in
// its order, since the idempotent producer has one request in flight.
func copyFloor(ctx context.Context, j job) (err error) {
	client, err := sarama.NewClient(j.brokers, settings())
	if err != nil {
		return fmt.Errorf("connect to %v: %w", j.brokers, err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("make consumer: %w", err)
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	producer, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return fmt.Errorf("make producer: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- drain(producer.Errors()) }()

	errs := make([]error, j.partitions)
	var copying sync.WaitGroup
	for p := range j.partitions {
		copying.Go(func() { errs[p] = copyPartition(ctx, j, consumer, producer, int32(p)) })
	}
	copying.Wait()
	producer.AsyncClose() // sends what waits; the error channel closes behind the last acknowledgement
	return errors.Join(append(errs, <-failed)...)
}

// drain returns the first error of many; sarama closes the channel.
func drain(errs <-chan *sarama.ProducerError) (first error) {
	for e := range errs {
		if first == nil {
			first = fmt.Errorf("produce to %s/%d: %w", e.Msg.Topic, e.Msg.Partition, e.Err)
		}
	}
	return first
}

// copyPartition copies the job's share of one partition.
func copyPartition(ctx context.Context, j job, consumer sarama.Consumer, producer sarama.AsyncProducer, partition int32) (err error) {
	left := share(j.records, int(partition), j.partitions)
	if left == 0 {
		return nil
	}
	pc, err := consumer.ConsumePartition(j.in, partition, sarama.OffsetOldest)
	if err != nil {
		return fmt.Errorf("consume %s/%d: %w", j.in, partition, err)
	}
	defer func() { err = errors.Join(err, pc.Close()) }()
	input := producer.Input()
	for m := range pc.Messages() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		input <- forward(m, j.out)
		if left--; left == 0 {
			return nil
		}
	}
	return fmt.Errorf("consume %s/%d: ended with %d records missing", j.in, partition, left)
}

// forwarded is a message with what it points to in one piece of memory: sarama's encoders and headers would take four.
type forwarded struct {
	sarama.ProducerMessage
	key, value sarama.ByteEncoder
	headers    [4]sarama.RecordHeader
}

// forward makes the message that writes what m read, to the same partition. A null key or value stays null.
func forward(m *sarama.ConsumerMessage, topic string) *sarama.ProducerMessage {
	f := &forwarded{key: m.Key, value: m.Value}
	f.Topic, f.Partition, f.Timestamp, f.Headers = topic, m.Partition, m.Timestamp, f.headers[:0]
	for _, h := range m.Headers {
		f.Headers = append(f.Headers, *h)
	}
	if m.Key != nil {
		f.Key = &f.key
	}
	if m.Value != nil {
		f.Value = &f.value
	}
	return &f.ProducerMessage
}

// share is how many of n records are in partition p: record i is in partition i mod partitions.
func share(n int64, p, partitions int) int64 {
	return (n - int64(p) + int64(partitions) - 1) / int64(partitions)
}
