// Package kafkasource reads Kafka topics. Partitions are assigned by the engine, never by a consumer group: a partition is
// a split, and the offsets in the job's epochs are the truth. Each split has its own connection to the partition's leader,
// so that no split waits for another one's fetch.
package kafkasource
