package main

import (
	"time"

	"github.com/IBM/sarama"
)

// linger is how long a producer waits for more records when a batch is not full: the default of Kafka's own client
// since 4.0. Every contestant has it.
const linger = 5 * time.Millisecond

// settings are sarama's settings of every contestant: what is read is committed, what is written is acknowledged by all
// replicas and written once per session.
func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "millrace-bench"
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Fetch.Default = 1 << 20
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // what sarama's idempotent producer asks for
	c.Producer.Flush.Frequency = linger
	c.Producer.Compression = sarama.CompressionNone
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Metadata.AllowAutoTopicCreation = false
	return c
}
