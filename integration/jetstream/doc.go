// Package jetstream tests whole jobs that read and write NATS JetStream, on a server in the process of the test that is stopped and started
// while they run.
package jetstream
