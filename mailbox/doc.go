// Package mailbox carries batches from task to task: lanes (one bounded Go channel per producer and consumer), the bell
// that wakes a sleeping task, the producer's end that fills batches and never blocks, and the consumer's end that takes
// one batch at a time and can be masked while barriers align.
//
// Nothing here blocks a task: a full lane refuses, its producer keeps the batch on a pending list, stops taking input and
// parks on its bell, which the consumer rings when it has made room.
package mailbox
