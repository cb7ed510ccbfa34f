// Package operators is what happens to a record inside a task: steps as typed closures that call the next one, composed
// when the plan is deployed. Nothing here knows of lanes, barriers or actors; state and timers come from the task's Env.
//
// A step is func(T): three nanoseconds a call. What every step of a task may want to know about the record in hand (its
// event time, its key's hash, its kind) stands in the Env instead of in each call's arguments.
package operators
