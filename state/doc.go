// Package state is the keyed state of one task: tables by key, value, list and map handles with a time to live, timers,
// snapshots that never stop the task, and the restore from them.
//
// A Store belongs to one goroutine, the task's loop; nothing here locks, starts a goroutine or reads a clock.
package state
