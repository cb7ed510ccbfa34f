// Package kafka is what the Kafka source and the Kafka sink share: connections, metadata, offsets and the message type,
// on sarama's requests. It uses none of sarama's clients: each connection is ours, so that it can be cut at once when a
// context ends, and nothing outlives it.
package kafka
