// Package plan is the topology with types rubbed off: steps, how records get from one to the next, which steps share a
// task, with how many parallel copies, and the hash that says whether a checkpoint belongs to it. It is data and
// arithmetic; the typed closures that do the work stay with the package that made the steps.
package plan
