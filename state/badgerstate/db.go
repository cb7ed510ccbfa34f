// Package badgerstate keeps live state that does not fit into memory in Badger, the disk-backed state backend.
//
// It is a disposable working store: empty when opened, rebuilt from a checkpoint, removed when closed. Nothing is synced.
// It is never the truth, because Badger can lose entries without a word when a file is damaged; what it does let slip about
// damage fails the store for good (see faults). An access takes microseconds, with a tail of milliseconds: entries that are
// used often belong into the cache in front of it.
//
// Values go into the LSM tree, never into Badger's value log, which would need collecting; large ones are cut into pieces.
package badgerstate

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/millrace-io/millrace/state"
)

// Config describes the working store of one job in one process.
type Config struct {
	// Dir belongs to the store alone: Open wipes it and Close removes it. It must be absent, empty or an earlier working
	// store; any other directory is refused, and so is one that another process uses. Its parents are made.
	Dir string
	// CacheBytes is the live memory that Badger itself may take, however much it stores; 0: DefaultCacheBytes. Go's collector
	// lets the heap grow to twice as much unless GOMEMLIMIT says otherwise. A 24th of it, between MemTableBytesMin and
	// MemTableBytesMax, is the size of a memtable. Up to three memtables hold what is not yet in files, and Badger keeps
	// eight buffers of two memtables for tables being built by flushes and compactions; the rest is for what is on its way.
	// Blocks are not cached twice: files are mapped, so what is read often stays in the page cache, which the kernel takes
	// back when it needs memory.
	CacheBytes int64
	// FreeBytesMin is the disk space that the store leaves to others; 0: DefaultFreeBytesMin. Below it, and Badger's own
	// working room of 32 memtables on top, Open and Write return ErrNoSpace: on a full disk Badger would kill the process.
	FreeBytesMin int64
}

// Defaults and bounds of Config.
const (
	DefaultCacheBytes   = 192 << 20
	DefaultFreeBytesMin = 1 << 30
	MemTableBytesMin    = 4 << 20
	MemTableBytesMax    = 64 << 20
)

// DB is the working store of one job in one process. Its methods may be called from any goroutine; the stores it hands out
// belong to one task's loop each.
type DB struct {
	dir    *directory
	badger *badger.DB
	faults *faults
	space  *space

	version atomic.Uint64 // of the last commit; each has its own
	lastID  atomic.Uint32 // of the last key space
	closing sync.Once
	closed  error
}

// Open wipes c.Dir and opens an empty store in it. The caller closes it after all tasks have ended.
func Open(c Config) (*DB, error) { return open(c, freeBytes) }

// open is Open with the measure of free disk space, in bytes, of the file system that holds a directory.
func open(c Config, free func(dir string) (int64, error)) (*DB, error) {
	if c.Dir == "" || c.CacheBytes < 0 || c.FreeBytesMin < 0 {
		return nil, fmt.Errorf("working store: want a directory and sizes of at least 0, got %+v", c)
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	if c.FreeBytesMin == 0 {
		c.FreeBytesMin = DefaultFreeBytesMin
	}
	dir, err := claim(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("working store: %w", err)
	}
	d := &DB{dir: dir, faults: newFaults()}
	o := options(filepath.Join(dir.path, filesName), c.CacheBytes, d.faults)
	d.space = newSpace(dir.path, c.FreeBytesMin+reserveMemTables*o.MemTableSize, free)
	if err = d.space.check(); err == nil {
		d.badger, err = badger.OpenManaged(o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("working store: %w", err), dir.remove())
	}
	d.badger.SetDiscardTs(latest) // every reader reads the newest version, so no other one is ever kept
	return d, nil
}

// Task gives the stores of one task. name is for errors: every store opened has keys of its own, so tasks, states and
// attempts never meet, whatever their names.
func (d *DB) Task(name string) state.ByteStores { return task{d, name} }

type task struct {
	d    *DB
	name string
}

// Open gives an empty store, also when one of these names was opened before.
func (t task) Open(operator, name string) (state.ByteStore, error) {
	where := fmt.Sprintf("working store: task %q, operator %q, state %q", t.name, operator, name)
	if err := t.d.faults.err(); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return newStore(t.d, where), nil
}

// closeTimeout bounds how long Close waits for a Badger that has failed: it retries a flush for ever.
const closeTimeout = 10 * time.Second

// Close stops Badger and removes the directory. No store may be used meanwhile or afterwards. Further calls return the
// first one's error. After a failure of the disk it may leave goroutines of Badger behind, and says so.
func (d *DB) Close() error {
	d.closing.Do(func() { d.closed = errors.Join(d.stop(), d.dir.remove()) })
	return d.closed
}

func (d *DB) stop() error {
	done := make(chan error, 1)
	go func() { done <- d.badger.Close() }()
	var expired <-chan time.Time
	failed := d.faults.failed
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("working store: close: %w", err)
			}
			return nil
		case <-failed:
			failed = nil
			expired = time.After(closeTimeout)
		case <-expired:
			return fmt.Errorf("working store: close: Badger has not stopped in %v, its goroutines are left behind: %w", closeTimeout, d.faults.err())
		}
	}
}
