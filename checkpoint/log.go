package checkpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Options says which lineage to open, and for which plan.
type Options struct {
	Store     Store  // required; stays the caller's to close
	Job       string // the job's name; must match the lineage's
	Plan      Plan   // must match the plan of the newest complete epoch, but for what Evolve can rewrite
	KeyGroups int    // of a new lineage; 0 means flow.DefaultKeyGroups. An existing lineage keeps its own: Log.KeyGroups
	FoldRuns  int    // runs of similar size that are folded into one; 0 means 24, at least 2
	FoldBytes int64  // runs up to this size count as of the smallest; 0 means 4 KiB
	// InlineBytes is the size up to which the changes of an epoch are kept in the epoch's slot, and not in a file of their own; 0 means
	// 64 KiB, negative: always a file.
	InlineBytes int64
	Retain      int // newest complete epochs that are kept, the newest included; 0 means 2, at most RetainMax

	// From is a savepoint with which a new lineage begins: at its epoch, with its state. Nothing is ever written to it. Once the lineage
	// has begun it goes on by itself, and From only says that it was begun from this one and no other. nil: a new lineage begins empty.
	From Store
	// Without names states of the savepoint that the lineage begins without.
	Without []string

	// Evolve gives the rewriting of values from one schema of a state to the one in Plan; its error, which Open returns,
	// names operator, state and field. Open calls it, once for each state whose values have another schema; Restore calls
	// what it gave. nil: schemas must be equal.
	Evolve func(was, is delta.Schema) (Rewrite, error)
}

// foldRunsDefault keeps write amplification near one per factor of 24 in size, and few enough files to restore from.
const foldRunsDefault = 24

// inlineBytesDefault is where a file of its own is as fast (docs/adr/0022-inline-runs.md).
const inlineBytesDefault = 64 << 10

// inlineBytesMax keeps records small enough to be read whole.
const inlineBytesMax = 1 << 20

// RetainMax bounds Options.Retain: the records of retained epochs are in memory.
const RetainMax = 1000

// retainDefault leaves one epoch beside the newest.
const retainDefault = 2

// Plan is what must be the same in the checkpoint and in the topology.
type Plan struct {
	Hash      string         // of ids, kinds, edges and key schemas; records that only cross lanes are in no checkpoint
	Operators []string       // ids of all operators
	Schemas   []delta.Schema // of all states
}

// Epoch is a complete epoch.
type Epoch struct {
	Number  flow.Epoch
	Attempt flow.Attempt // the attempt that completed it
	Meta    []byte       // what Complete was given; not to be changed
}

// Log is the open log of one lineage. Its methods may be called from several I/O goroutines; all but Newest, Lineage,
// KeyGroups and Stats do I/O.
type Log struct {
	o         Options
	lineage   string
	writer    string // marks this log's slots and files
	keyGroups int
	files     atomic.Uint64 // numbers this log's files

	taking  sync.Mutex // held by Begin and Complete: slots are taken one after the other. Taken before mu
	folding sync.Mutex // held by Fold: one at a time. Taken before mu

	// mu guards what follows; it is never held over I/O. Begin and Complete alone write the chain, so they read it without.
	mu     sync.Mutex
	chain  chain
	runs   []run    // what the next epoch record will name, without its own segment: newest's runs, folded
	pinned []run    // named by the record being written
	torn   []run    // segments whose slot was not taken, or perhaps was
	doubt  []run    // named by a record that perhaps has the next slot
	dead   []string // files to delete as soon as no kept epoch names them
	pins   map[*Pin]bool
	failed error        // ErrTaken or ErrFenced: final
	begun  flow.Attempt // the attempt running now; 0 before Begin
	closed bool
	stats  Stats

	from      *savepoint // that the lineage has yet to begin with, or nil
	evolution *evolution // nil unless the epoch found by Open has other schemas
}

// Open finds the newest complete epoch by the head and the chain of slots, and checks its record, that its files are
// there, and that it was made by the same plan. It takes no slot and changes nothing. An empty store is a new lineage; a
// store that holds anything which cannot be followed is an error.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Store == nil {
		return nil, fmt.Errorf("open checkpoints of job %q: Options.Store is nil", o.Job)
	}
	if o.KeyGroups == 0 {
		o.KeyGroups = flow.DefaultKeyGroups
	}
	if !validKeyGroups(o.KeyGroups) {
		return nil, fmt.Errorf("open checkpoints of job %q: Options.KeyGroups is %d, want a power of two up to %d", o.Job, o.KeyGroups, flow.MaxKeyGroups)
	}
	if o.FoldRuns == 0 {
		o.FoldRuns = foldRunsDefault
	}
	if o.FoldBytes == 0 {
		o.FoldBytes = foldLevelBytes
	}
	if o.InlineBytes == 0 {
		o.InlineBytes = inlineBytesDefault
	}
	o.InlineBytes = min(o.InlineBytes, inlineBytesMax)
	if o.FoldRuns < 2 {
		return nil, fmt.Errorf("open checkpoints of job %q: Options.FoldRuns is %d, want at least 2", o.Job, o.FoldRuns)
	}
	if o.Retain == 0 {
		o.Retain = retainDefault
	}
	if o.Retain < 1 || o.Retain > RetainMax {
		return nil, fmt.Errorf("open checkpoints of job %q: Options.Retain is %d, want 1 to %d", o.Job, o.Retain, RetainMax)
	}
	l := &Log{o: o, keyGroups: o.KeyGroups, writer: randomID(4), pins: map[*Pin]bool{}}
	if err := l.follow(ctx); err != nil {
		return nil, fmt.Errorf("open checkpoints of job %q: %w", o.Job, err)
	}
	return l, nil
}

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never returns an error
	return hex.EncodeToString(b)
}

// Newest is the newest complete epoch of the lineage; false when none was ever completed. After an error of Complete it is certain only
// when Begin has returned.
func (l *Log) Newest() (Epoch, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.chain.newest
	if r == nil {
		return Epoch{}, false
	}
	return Epoch{Number: r.epoch, Attempt: r.attempt, Meta: r.meta}, true
}

// Lineage is the id of the chain of epochs, made when it was new.
func (l *Log) Lineage() string { return l.lineage }

// KeyGroups is the number of key groups of the lineage; it never changes.
func (l *Log) KeyGroups() int { return l.keyGroups }

// Close waits for what is under way and refuses what comes after. It does not close the store.
func (l *Log) Close() error {
	l.folding.Lock()
	defer l.folding.Unlock()
	l.taking.Lock()
	defer l.taking.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

var errClosed = errors.New("the log of epochs is closed")

// usable says why nothing can be written any more. The caller holds mu.
func (l *Log) usable() error {
	if l.closed {
		return errClosed
	}
	return l.failed
}

// Stats is a reading of the counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Runs, s.GarbageFiles = len(l.runs), len(l.dead)
	s.TotalBytes = sizeOf(l.runs)
	return s
}

func sizeOf(runs []run) (n int64) {
	for _, r := range runs {
		n += r.size
	}
	return n
}
