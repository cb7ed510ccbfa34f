package badgerstate

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4/y"
)

// faults gathers what Badger lets slip about failures that it does not return: it goes on after them as if the entries had
// never been there. One fault fails the store for good; the job restores from a checkpoint into a new one.
//
//   - A failed flush or compaction is logged and tried again for ever, while writers wait. faults is Badger's logger.
//   - A block whose checksum is wrong makes a Get say "not found" and a compaction drop entries; the error dies inside of
//     table.Iterator, unlogged. But its text is always formatted, which mismatches counts.
//     What escapes is damage to the last few bytes of a block, the frame of the checksum itself: 4 of 4,300 positions tried.
type faults struct {
	failed     chan struct{} // closed with the first fault that was logged
	once       sync.Once
	first      error // readable once failed is closed
	mismatches int64 // of the process when the store was opened
}

func newFaults() *faults {
	return &faults{failed: make(chan struct{}), mismatches: mismatches.Load()}
}

// err is the fault that has failed the store, or nil. It is called after every access.
func (f *faults) err() error {
	if mismatches.Load() != f.mismatches {
		return errDamaged
	}
	select {
	case <-f.failed:
		return f.first
	default:
		return nil
	}
}

var errDamaged = errors.New("checksum mismatch in a file of the working store, entries may be missing: check the disk and restore from a checkpoint")

// mismatches counts wrong checksums in this process. They say nothing about which store was hit, so all open ones fail.
var mismatches atomic.Int64

// mismatch stands in for y.ErrChecksumMismatch, which Badger formats into another error wherever a checksum is wrong.
type mismatch struct{}

func (mismatch) Error() string {
	mismatches.Add(1)
	return "checksum mismatch"
}

func init() { y.ErrChecksumMismatch = mismatch{} }

// Errorf is called by Badger for failures that it retries or ignores.
func (f *faults) Errorf(format string, args ...any) {
	f.once.Do(func() {
		f.first = fmt.Errorf("badger: "+format, args...)
		close(f.failed)
	})
}

// Warningf is called by Badger for a compaction that failed, among other things that are harmless.
func (f *faults) Warningf(format string, args ...any) {
	if strings.Contains(format, "ompact") {
		f.Errorf(format, args...)
	}
}

// Infof is called by Badger for what an operator of a database wants to know.
func (f *faults) Infof(string, ...any) {}

// Debugf is called by Badger for its developers.
func (f *faults) Debugf(string, ...any) {}
