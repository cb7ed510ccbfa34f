// Package nats is what the JetStream source and the JetStream sink share: who connects, and how; what the streams of a
// server hold; and the message type. Its connections never reconnect by themselves: a reader or a writer makes a new one, and
// knows then from where it goes on.
package nats
