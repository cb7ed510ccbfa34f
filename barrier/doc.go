// Package barrier decides, and never acts: when a task has seen a cut on all its lanes (Aligner), and when a job starts,
// records, commits or abandons one (Coordinator). Both are pure state machines without goroutine, clock, disk or network.
// They are told things and answer with actions; package actors carries these out. Neither is safe for concurrent use:
// each belongs to the loop that calls it.
//
// What both rely on, and check as far as they can see it: epochs are numbered without a gap within an attempt; a source
// emits the barrier of every epoch it was told to start, abandoned or not, in order; lanes keep order. Lanes carry barriers
// also after the end of their stream, because tasks live until the job ends, so that a last epoch can be cut after the
// end. An end needs no special case here.
package barrier
