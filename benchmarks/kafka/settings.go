package main

import (
	"time"

	"github.com/IBM/sarama"
)

// linger is how long a producer waits for more records when a batch is not full: the default of Kafka's own client
// since 4.0. Every contestant has it.
const linger = 5 * time.Millisecond

const (
	fetchBytes = 1 << 20 // asked for in one fetch of a partition
	clientID   = "millrace-bench"
)

// settings are sarama's settings of the floor and of what fills and reads topics: what is read is committed, what is
// written is acknowledged by all replicas and written once per session. Millrace's source and sink know no other way;
// copyMillrace sets the rest.
func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = clientID
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Fetch.Default = fetchBytes
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // what sarama's idempotent producer asks for
	c.Producer.Flush.Frequency = linger
	c.Producer.Compression = sarama.CompressionNone
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Metadata.AllowAutoTopicCreation = false
	return c
}
