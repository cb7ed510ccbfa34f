// Package wire is the protocol by which a lane goes from one process to another: frames, and a state machine for either end. It
// sends nothing, starts nothing and reads no clock: it is told what came and answers with what to send.
//
// The network in between may lose, repeat, reorder and damage frames. The lane may not: what comes out is what went in, in order
// and once, or an error that ends the attempt. Nothing is sent twice; records come again from the last epoch, as after any failure.
//
//	batch  →  its sequence number, its mark, its records; cut into pieces when the network carries less at once
//	probe  →  the newest sequence number sent
//	grant  ←  how many batches have come, how many the consumer's lane has taken, up to which number may be sent
//
// A sequence number that is missing shows in the next batch or the next probe, so the last batch is as safe as the first. Counts in
// grants are totals: a lost grant heals with the next one, and a probe asks for one. Back-pressure is a grant that does not come; the
// receiver answers probes all the same, so that a slow consumer is not taken for a lost one.
package wire
