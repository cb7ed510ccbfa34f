// Package dirstore keeps the checkpoints of one lineage in a directory, on a local disk or a file system shared by
// the workers.
//
// An object is a file that appears at once and complete: written as a temporary, synced, linked to its name (never
// renamed over it: link refuses a name that exists), the directory synced. The process that has the directory open
// holds an flock on the file "lock" in it; the system releases it when the process ends, however it ends.
package dirstore
