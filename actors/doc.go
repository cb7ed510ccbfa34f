// Package actors runs a plan: every task is a protoactor actor on a mailbox of lanes, every job an actor that supervises
// its tasks, paces the epochs and restores after a failure. It is the only room that knows protoactor.
//
// What may wait (reading, writing, encoding to disk) runs on goroutines that a Task or a Job starts through its own Go
// method and waits for; a task's loop never waits for anything but its bell.
package actors
