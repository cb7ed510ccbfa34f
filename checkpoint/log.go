package checkpoint

import (
	"context"
	"errors"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Options says which lineage to open, and for which plan.
type Options struct {
	Store     Store  // required; stays the caller's to close
	Job       string // the job's name; must match the lineage's
	Plan      Plan   // must match the plan of the newest complete epoch
	KeyGroups int    // of a new lineage; 0 means flow.DefaultKeyGroups. An existing lineage keeps its own: Log.KeyGroups
	FoldRuns  int    // runs of similar size that are folded into one; 0 means 8, at least 2
}

// Plan is what must be the same in the checkpoint and in the topology.
type Plan struct {
	Hash      string         // of ids, kinds, edges, key, record and state schemas
	Operators []string       // ids of all operators
	Schemas   []delta.Schema // of all states
}

// Epoch is a complete epoch.
type Epoch struct {
	Number  flow.Epoch
	Attempt flow.Attempt // the attempt that completed it
	Meta    []byte       // what Complete was given
}

// Log is the open log of one lineage. Its methods may be called from several I/O goroutines.
type Log struct{}

// Open finds the newest complete epoch. It takes no slot.
func Open(ctx context.Context, o Options) (*Log, error) { return nil, errors.ErrUnsupported }

// Newest is the newest complete epoch of the lineage; false when none was ever completed.
func (l *Log) Newest() (Epoch, bool) { return Epoch{}, false }

// Lineage is the id of the chain of epochs.
func (l *Log) Lineage() string { return "" }

// KeyGroups is the number of key groups of the lineage.
func (l *Log) KeyGroups() int { return 0 }

// Begin takes a slot: the next attempt starts from the newest epoch.
func (l *Log) Begin(ctx context.Context) (flow.Attempt, error) { return 0, errors.ErrUnsupported }

// Restore streams all blocks of the newest epoch, oldest run first. A block's Data is f's until it returns.
func (l *Log) Restore(ctx context.Context, f func(delta.Block) error) error {
	return errors.ErrUnsupported
}

// Complete makes epoch e durable.
func (l *Log) Complete(ctx context.Context, e flow.Epoch, blocks []delta.Block, meta []byte) error {
	return errors.ErrUnsupported
}

// Fold merges runs when due and deletes files no retained epoch names. One goroutine calls it after epochs.
func (l *Log) Fold(ctx context.Context) error { return errors.ErrUnsupported }

// Close waits for what is under way. It does not close the store.
func (l *Log) Close() error { return nil }

// Stats says what the log holds and how long its last steps took.
func (l *Log) Stats() Stats { return Stats{} }
