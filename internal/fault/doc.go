// Package fault names the places at which a fault campaign kills the process: between any two steps whose order exactly-once depends
// on. In a build without the tag faults a point compiles to nothing.
//
// With the tag, the environment variable MILLRACE_FAULT arms one point: "checkpoint/slot-taken:3" is the third time that the process
// comes there. What it was to do next never happens, as nothing is flushed, closed or deferred by SIGKILL.
package fault

// Variable is the environment variable that arms a point, as name:hit.
const Variable = "MILLRACE_FAULT"

// Killed begins the line that an armed point writes to standard error before it kills the process; its name follows.
const Killed = "fault: killed at "
