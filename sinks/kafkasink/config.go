package kafkasink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/internal/kafka"
)

// Message is a whole Kafka record, the same type as the source's.
type Message = kafka.Message

// Header is one of a message's headers.
type Header = kafka.Header

// SASL says who connects.
type SASL = kafka.SASL

// Secret is a text that no log, error or dump shows.
type Secret = kafka.Secret

// Config says where to write. Brokers is required, and Topic unless each record names its own.
type Config struct {
	Brokers []string // host:port of some brokers; the others are found through them
	Topic   string   // where records go that name no topic themselves

	// Guarantee is what readers of the topics get; default AtLeastOnce.
	Guarantee Guarantee
	// TransactionTimeout is how long the brokers keep a transaction open, with ExactlyOnce; default 15 minutes, which is the most
	// that brokers allow unless transaction.max.timeout.ms says otherwise. A job that stays away for longer between the completion
	// of an epoch and its commit has lost that epoch's output, and says so; until then a job that died hides what is written to its
	// topics after it from readers of committed records.
	TransactionTimeout time.Duration
	// TransactionalIDPrefix begins the transactional ids: prefix-lineage-operator-task-number.attempt; default "millrace".
	TransactionalIDPrefix string

	Compression string // "none" (default), "gzip", "snappy", "lz4" or "zstd"
	// BatchBytes is how large a batch of one partition's records grows before the next is begun; default 1,000,000. It must
	// fit into the topic's max.message.bytes, and is measured before compression.
	BatchBytes int
	// BufferBytes is how much may wait to be sent or acknowledged before writing waits; default 32 MiB.
	BufferBytes int
	// Linger is how long a batch that is not full may wait for more records although its leader is idle; default 0. It
	// trades latency for fewer requests. A Flush waits for no linger.
	Linger time.Duration
	// DeliveryTimeout is how long a batch is sent again after brokers that went away, leaders that moved or replicas that
	// are missing, before the write fails; default 2 minutes.
	DeliveryTimeout time.Duration

	TLS      *tls.Config // nil = no TLS; an empty one verifies against the system's authorities, from TLS 1.2 on
	SASL     SASL
	ClientID string // how the brokers name this client in logs and quotas; default "millrace"
}

// Guarantee is what readers get when a job fails and goes on from its last epoch.
type Guarantee uint8

const (
	// AtLeastOnce: each record once, and those written behind the last epoch again. They are seen as soon as they are written.
	AtLeastOnce Guarantee = iota
	// ExactlyOnce: each record once. An epoch's records are a transaction for each task; readers with isolation.level=read_committed
	// see them when it is committed, behind the end of the epoch. Needs Kafka 3.0 or newer.
	ExactlyOnce
)

// String gives the guarantee's name.
func (g Guarantee) String() string {
	switch g {
	case AtLeastOnce:
		return "at-least-once"
	case ExactlyOnce:
		return "exactly-once"
	}
	return fmt.Sprintf("guarantee %d", uint8(g))
}

const (
	batchBytes         = 1_000_000
	bufferBytes        = 32 << 20
	requestBytesMax    = 8 << 20
	deliveryTimeout    = 2 * time.Minute
	transactionTimeout = 15 * time.Minute
	idPrefix           = "millrace"
	idPrefixBytesMax   = 128
)

func (c Config) withDefaults() Config {
	if c.Compression == "" {
		c.Compression = "none"
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = batchBytes
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = bufferBytes
	}
	if c.DeliveryTimeout == 0 {
		c.DeliveryTimeout = deliveryTimeout
	}
	if c.TransactionTimeout == 0 {
		c.TransactionTimeout = transactionTimeout
	}
	if c.TransactionalIDPrefix == "" {
		c.TransactionalIDPrefix = idPrefix
	}
	return c
}

func (c Config) cluster() kafka.Cluster {
	return kafka.Cluster{Brokers: c.Brokers, TLS: c.TLS, SASL: c.SASL, ClientID: c.ClientID}
}

// codecs are the compressions by name.
var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (c Config) validate() error {
	errs := []error{c.cluster().Validate()}
	if _, ok := codecs[c.Compression]; !ok {
		errs = append(errs, fmt.Errorf("compression %q is none of none, gzip, snappy, lz4, zstd", c.Compression))
	}
	if c.BatchBytes < 0 || c.BatchBytes > requestBytesMax {
		errs = append(errs, fmt.Errorf("batch size %d is not between 1 and %d bytes", c.BatchBytes, requestBytesMax))
	}
	if c.BufferBytes < c.BatchBytes {
		errs = append(errs, fmt.Errorf("buffer of %d bytes is smaller than a batch of %d", c.BufferBytes, c.BatchBytes))
	}
	if c.Linger < 0 || c.DeliveryTimeout < 0 {
		errs = append(errs, fmt.Errorf("linger %v, delivery timeout %v: neither may be negative", c.Linger, c.DeliveryTimeout))
	}
	if c.Guarantee > ExactlyOnce {
		errs = append(errs, fmt.Errorf("%v is neither AtLeastOnce nor ExactlyOnce", c.Guarantee))
	}
	if ms := c.TransactionTimeout.Milliseconds(); ms < 1 || ms > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("transaction timeout %v is not between 1 ms and %d ms", c.TransactionTimeout, math.MaxInt32))
	}
	if len(c.TransactionalIDPrefix) > idPrefixBytesMax {
		errs = append(errs, fmt.Errorf("transactional id prefix has %d bytes, more than %d", len(c.TransactionalIDPrefix), idPrefixBytesMax))
	}
	return errors.Join(errs...)
}
