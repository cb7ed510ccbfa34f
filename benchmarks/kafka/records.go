package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// recordBytes are the bytes a user sees of each record: key, value, and names and values of the headers.
const recordBytes = 200

const (
	keyBytes    = 15
	headerBytes = 5 + 16 + 4 + 8 // "trace" with 16 bytes, "kind" with 8
	valueBytes  = recordBytes - keyBytes - headerBytes
	keys        = 100_000
)

// baseTime is the timestamp of the first record; the others follow in milliseconds, so that no run depends on the clock.
var baseTime = time.UnixMilli(1_767_225_600_000).UTC()

// makeRecord is record i of the input. The value begins with i, big-endian.
func makeRecord(topic string, partitions int, i int64) *sarama.ProducerMessage {
	value := make([]byte, valueBytes)
	binary.BigEndian.PutUint64(value, uint64(i))
	fillRandom(value[8:], uint64(i))
	trace := make([]byte, 16)
	fillRandom(trace, ^uint64(i))
	return &sarama.ProducerMessage{
		Topic:     topic,
		Partition: int32(i % int64(partitions)),
		Key:       sarama.StringEncoder(fmt.Sprintf("user-%010d", i*7919%keys)),
		Value:     sarama.ByteEncoder(value),
		Headers:   []sarama.RecordHeader{{Key: []byte("trace"), Value: trace}, {Key: []byte("kind"), Value: []byte("purchase")}},
		Timestamp: baseTime.Add(time.Duration(i) * time.Millisecond),
	}
}

// fillRandom fills dst with bytes that follow from seed alone (splitmix64).
func fillRandom(dst []byte, seed uint64) {
	var word [8]byte
	for len(dst) > 0 {
		seed += 0x9e3779b97f4a7c15
		x := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], x^x>>31)
		dst = dst[copy(dst, word[:]):]
	}
}

// preload writes the records from, from+1, … to-1 into the topic.
func preload(brokers []string, topic string, partitions int, from, to int64) error {
	producer, err := sarama.NewAsyncProducer(brokers, settings())
	if err != nil {
		return fmt.Errorf("fill %s: connect to %v: %w; start a broker with make kafka", topic, brokers, err)
	}
	failed := make(chan error, 1)
	go func() { failed <- drain(producer.Errors()) }()
	for i := from; i < to; i++ {
		producer.Input() <- makeRecord(topic, partitions, i)
	}
	producer.AsyncClose()
	if err := <-failed; err != nil {
		return fmt.Errorf("fill %s: %w", topic, err)
	}
	return nil
}

// errOrder: per-partition order is part of the job.
var errOrder = errors.New("order within an input partition was not kept")
