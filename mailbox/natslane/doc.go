// Package natslane carries what goes through a mailbox.Lane to another process, over core NATS. To tasks it is the same lane.
//
//	task ─▶ lane ─▶ Sender ── NATS ──▶ Receiver ─▶ lane ─▶ task
//
// A Sender takes from the producer's local lane and a Receiver hands over to the consumer's: each on an I/O goroutine. What they say to each
// other, and why nothing is lost although core NATS may lose, is mailbox/wire; here bytes are moved. Nothing lingers: a batch is
// published as soon as there is credit for it.
//
// Lanes share a connection. None waits for another's consumer: each has its own subscription, whose queue has room for all that its credit
// lets under way.
package natslane
