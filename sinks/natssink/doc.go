// Package natssink writes to streams of NATS JetStream, at-least-once. Messages go out as they come, many before the first is acknowledged;
// a Flush waits for the stream's acknowledgement of each. What was sent and not acknowledged when a connection broke is sent again in its
// order, under ids by which the stream knows what it has stored already.
package natssink
