// Package kafkasink writes Kafka topics, at-least-once or exactly-once: an idempotent producer whose records are all acknowledged
// by all in-sync replicas before an epoch is; exactly-once, each epoch of a task is a transaction. It is its own producer on sarama's
// requests: a partition's records go out in batches as soon as its leader has answered the batches before, so that a lone
// record waits for nothing and many fill batches.
package kafkasink
