// Package sim runs whole jobs in a simulated world: one goroutine takes every step, in an order drawn from a seed, at virtual times,
// over a simulated store and outside. Processes crash, live on as zombies, stop and come back with other parallelism. The job, its tasks,
// lanes, state, epochs and log are the product's own; what a run must have published is computed by plain Go.
//
// The same seed takes the same steps: a failure is printed with the command that repeats it.
package sim
