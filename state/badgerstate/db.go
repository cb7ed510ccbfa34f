// Package badgerstate keeps live state that does not fit into memory in Badger, the disk-backed state backend.
//
// It is a disposable working store: wiped when opened, rebuilt from a checkpoint, removed when closed. It is never the
// truth, because Badger can lose entries without a word when a file is damaged.
package badgerstate

import (
	"errors"

	"github.com/millrace-io/millrace/state"
)

// Config describes the working store of one job in one process.
type Config struct {
	Dir          string // a directory that belongs to the store alone: it is wiped by Open and removed by Close
	CacheBytes   int64  // memory that Badger itself may use; 0: DefaultCacheBytes
	FreeBytesMin int64  // disk space that the store leaves free; 0: DefaultFreeBytesMin
}

// DB is the working store of one job in one process.
type DB struct{ c Config }

var errUnbuilt = errors.New("not built yet")

// Open wipes c.Dir and opens an empty store in it.
func Open(c Config) (*DB, error) { return &DB{c}, nil }

// Task gives the stores of one task.
func (d *DB) Task(name string) state.ByteStores { return tasks{} }

// Close stops Badger and removes the directory.
func (d *DB) Close() error { return nil }

type tasks struct{}

func (tasks) Open(operator, name string) (state.ByteStore, error) { return nil, errUnbuilt }

