package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

const (
	clientID   = "millrace-bench"
	valueBytes = 200
	tick       = 500 * time.Microsecond
)

// settings are those of what fills and reads topics: what is read is committed, what is written is acknowledged by all replicas, and sent
// as soon as the answer before has come.
func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = clientID
	c.ChannelBufferSize = 4096
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // what sarama's idempotent producer asks for
	c.Producer.Compression = sarama.CompressionNone
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Metadata.AllowAutoTopicCreation = false
	return c
}

// record is the i-th of a topic: the time it was due, its number, and filling.
func (c *course) record(topic string, i, dueNS int64) *sarama.ProducerMessage {
	value := make([]byte, valueBytes)
	binary.BigEndian.PutUint64(value, uint64(dueNS))
	binary.BigEndian.PutUint64(value[8:], uint64(i))
	return &sarama.ProducerMessage{Topic: topic, Partition: int32(i % int64(c.partitions)), Value: sarama.ByteEncoder(value)}
}

// fill writes n records as fast as they are taken.
func (c *course) fill(ctx context.Context, topic string, n int64) error {
	return c.produce(topic, func(send func(*sarama.ProducerMessage)) error {
		for i := int64(0); i < n && ctx.Err() == nil; i++ {
			send(c.record(topic, i, 0))
		}
		return context.Cause(ctx)
	})
}

// paced writes n records at the rate. The schedule says when a record is due, whatever holds it up.
func (c *course) paced(ctx context.Context, topic string, n int64) (err error) {
	pacer, err := harness.StartPacer(tick)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pacer.Close()) }()
	periodNS := 1e9 / float64(c.rate)
	return c.produce(topic, func(send func(*sarama.ProducerMessage)) error {
		begunNS := harness.NowNS()
		for i := int64(0); i < n; {
			for nowNS := harness.NowNS(); i < n; i++ {
				dueNS := begunNS + int64(float64(i)*periodNS)
				if dueNS > nowNS {
					break
				}
				send(c.record(topic, i, dueNS))
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := pacer.Wait(); err != nil {
				return err
			}
		}
		return nil
	})
}

// produce hands a producer to make and returns when all that was sent is acknowledged.
func (c *course) produce(topic string, make func(send func(*sarama.ProducerMessage)) error) error {
	p, err := sarama.NewAsyncProducer(c.brokers, settings())
	if err != nil {
		return fmt.Errorf("fill %s: connect to %v: %w", topic, c.brokers, err)
	}
	failed := newFirst(p.Errors())
	err = make(func(m *sarama.ProducerMessage) { p.Input() <- m })
	p.AsyncClose()
	if cause := <-failed; cause != nil {
		err = errors.Join(err, fmt.Errorf("fill %s: %w", topic, cause))
	}
	return err
}

// newFirst gives the first error of many when their channel is closed.
func newFirst(errs <-chan *sarama.ProducerError) <-chan error {
	first := make(chan error, 1)
	go func() {
		var cause error
		for e := range errs {
			if cause == nil {
				cause = e
			}
		}
		first <- cause
	}()
	return first
}
