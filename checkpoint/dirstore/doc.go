// Package dirstore keeps the checkpoints of a lineage in a directory.
package dirstore
