// Package natssource reads streams of NATS JetStream. The sequences in the job's epochs are the truth, and no durable consumer of the server:
// each split is a subject filter, read by an ephemeral consumer from the sequence behind the last one that was handed over.
package natssource
