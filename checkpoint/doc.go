// Package checkpoint makes the epochs of a job durable and brings them back.
//
// A lineage is a log of slots. Slot k is created if absent and never changed; it says either "attempt a starts from
// epoch e" or "epoch e of attempt a is complete: these runs". A run is an immutable file or section of a slot with state entries: the changes
// of one epoch (a segment), or the fold of several runs. The state of an epoch is its runs, oldest first, the newest
// entry of a key winning.
//
// Whoever finds a slot taken stops, so two runs of a job never both complete an epoch. The newest slot is found from
// the head (a small mutable object that names it) and by probing forward, never from a listing; each slot holds the
// hash of the one before. A deleted or damaged file is therefore an error when the log is opened or restored, never an
// older epoch and never an empty state.
//
// Everything here does I/O and runs on I/O goroutines, never on the loop of a task.
package checkpoint
