package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"github.com/cespare/xxhash/v2"
)

// hashTopic reads a topic that should hold the first records of the input, in any partition but in their order there,
// and adds up a hash of each record.
func hashTopic(ctx context.Context, brokers []string, topic string, partitions int, records int64) (uint64, error) {
	client, err := sarama.NewClient(brokers, settings())
	if err != nil {
		return 0, fmt.Errorf("read %s: connect to %v: %w", topic, brokers, err)
	}
	sums := make([]summed, partitions)
	var reading sync.WaitGroup
	for p := range partitions {
		reading.Go(func() { sums[p] = sumPartition(ctx, client, topic, int32(p), partitions) })
	}
	reading.Wait()
	var total summed
	for _, s := range sums {
		total.hash += s.hash
		total.records += s.records
		total.err = errors.Join(total.err, s.err)
	}
	if err := errors.Join(total.err, client.Close()); err != nil {
		return 0, err
	}
	if total.records != records {
		return 0, fmt.Errorf("topic %s holds %d records, want %d", topic, total.records, records)
	}
	return total.hash, nil
}

type summed struct {
	hash    uint64
	records int64
	err     error
}

// sumPartition reads one partition to its present end. inputs is how many partitions the input has.
func sumPartition(ctx context.Context, client sarama.Client, topic string, partition int32, inputs int) (s summed) {
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil || end == 0 {
		s.err = err
		return s
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		s.err = err
		return s
	}
	defer func() { s.err = errors.Join(s.err, consumer.Close()) }()
	pc, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		s.err = fmt.Errorf("consume %s/%d: %w", topic, partition, err)
		return s
	}
	defer func() { s.err = errors.Join(s.err, pc.Close()) }()
	last := make([]int64, inputs)
	for m := range pc.Messages() {
		if s.err = s.add(m, last); s.err == nil && ctx.Err() != nil {
			s.err = context.Cause(ctx)
		}
		if s.err != nil || m.Offset+1 == end {
			return s
		}
	}
	return s
}

// add takes a record whose number must be above the last one of its input partition.
func (s *summed) add(m *sarama.ConsumerMessage, last []int64) error {
	if len(m.Value) != valueBytes {
		return fmt.Errorf("%s/%d, offset %d: value of %d bytes, want %d", m.Topic, m.Partition, m.Offset, len(m.Value), valueBytes)
	}
	n := int64(binary.BigEndian.Uint64(m.Value)) + 1 // 0 is none yet
	if in := (n - 1) % int64(len(last)); n > last[in] {
		last[in] = n
	} else {
		return fmt.Errorf("%s/%d, offset %d: record %d behind %d: %w", m.Topic, m.Partition, m.Offset, n-1, last[in]-1, errOrder)
	}
	s.hash += hashRecord(m)
	s.records++
	return nil
}

// hashRecord covers all that the job must keep.
func hashRecord(m *sarama.ConsumerMessage) uint64 {
	var d xxhash.Digest
	d.Reset()
	part := func(b []byte) { // with its length: parts cannot run into each other
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = d.Write(n[:]) // a digest takes everything
		_, _ = d.Write(b)
	}
	part(m.Key)
	part(m.Value)
	for _, h := range m.Headers {
		part(h.Key)
		part(h.Value)
	}
	part(binary.LittleEndian.AppendUint64(nil, uint64(m.Timestamp.UnixMilli())))
	return d.Sum64()
}
