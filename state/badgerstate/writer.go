package badgerstate

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

const (
	commitBytes = 256 << 10 // a transaction of this size is committed, so that Badger works while the next one is filled
	inFlightMax = 4         // transactions being committed, of each store
	blockBytes  = 64 << 10
	blockItems  = 256
)

// writer is the write side of one store: a transaction being filled, and up to inFlightMax being committed. It does what
// badger.WriteBatch does, and lets the task go when Badger has failed and will never finish.
//
// Each transaction commits at a version of its own: where two versions were equal, a compaction within level 0 could put an
// older table above a newer one.
type writer struct {
	d        *DB
	txn      *badger.Txn // nil: nothing to commit
	bytes    int         // in txn
	inFlight int
	results  chan error
	err      error // sticky: entries are missing

	block []byte // keys and values live here until they are committed
	items []badger.Entry
}

// room is an empty slice of capacity n that stays untouched until its transaction is committed.
func (w *writer) room(n int) []byte {
	if cap(w.block)-len(w.block) < n {
		w.block = make([]byte, 0, max(n, blockBytes))
	}
	at := len(w.block)
	w.block = w.block[:at+n]
	return w.block[at : at : at+n]
}

func (w *writer) set(key, value []byte) error {
	if len(w.items) == 0 {
		w.items = make([]badger.Entry, blockItems)
	}
	e := &w.items[0]
	w.items = w.items[1:]
	e.Key, e.Value = key, value
	return w.add(len(key)+len(value), func(txn *badger.Txn) error { return txn.SetEntry(e) })
}

func (w *writer) delete(key []byte) error {
	return w.add(len(key), func(txn *badger.Txn) error { return txn.Delete(key) })
}

func (w *writer) add(n int, change func(*badger.Txn) error) error {
	err := change(w.open())
	if errors.Is(err, badger.ErrTxnTooBig) {
		if err = w.commit(); err == nil {
			err = change(w.open())
		}
	}
	w.bytes += n
	return w.keep(err)
}

func (w *writer) open() *badger.Txn {
	if w.txn == nil {
		w.txn = w.d.badger.NewTransactionAt(latest, true)
	}
	return w.txn
}

// pace begins the commit of a transaction that is large enough.
func (w *writer) pace() error {
	if w.bytes >= commitBytes {
		return w.commit()
	}
	return w.err
}

func (w *writer) commit() error {
	if w.txn == nil || w.err != nil {
		return w.err
	}
	for w.inFlight >= inFlightMax {
		if err := w.wait(); err != nil {
			return err
		}
	}
	txn, results := w.txn, w.results
	w.txn, w.bytes = nil, 0
	w.inFlight++
	return w.keep(txn.CommitAt(w.d.version.Add(1), func(err error) { results <- err }))
}

// settle makes all writes visible to reads.
func (w *writer) settle() error {
	if err := w.commit(); err != nil {
		return err
	}
	for w.inFlight > 0 {
		if err := w.wait(); err != nil {
			return err
		}
	}
	return nil
}

// wait takes the result of one commit.
func (w *writer) wait() error {
	select {
	case err := <-w.results:
		w.inFlight--
		return w.keep(err)
	case <-w.d.faults.failed:
		return w.keep(w.d.faults.first)
	}
}

func (w *writer) keep(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}
