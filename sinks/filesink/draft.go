package filesink

import (
	"crypto/sha256"
	"hash"

	"github.com/millrace-io/millrace/internal/fault"
)

// writing is a file that is being written, or was, with the hash of what was written to it.
type writing struct {
	entry
	file  file
	buf   []byte // the last of its bytes, not in the file yet
	hash  hash.Hash
	dirty bool // there are bytes that were not synced
	known bool // a token names it: it must stay
}

func begin(d disk, hidden, final string) (*writing, error) {
	f, err := d.create(hidden)
	fault.Point("files/created")
	if err != nil {
		return nil, err
	}
	return &writing{entry: entry{hidden: hidden, final: final}, file: f, hash: sha256.New()}, nil
}

func (w *writing) append(p []byte) error {
	if len(w.buf)+len(p) > bufferBytes {
		if err := w.drain(); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, p...)
	w.size += int64(len(p))
	w.dirty = true
	return nil
}

func (w *writing) drain() error {
	if len(w.buf) == 0 {
		return nil
	}
	w.hash.Write(w.buf)
	_, err := w.file.Write(w.buf)
	fault.Point("files/written")
	w.buf = w.buf[:0]
	return err
}

// sync makes all that was appended safe.
func (w *writing) sync() error {
	if !w.dirty {
		return nil
	}
	if err := w.drain(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	fault.Point("files/synced")
	w.dirty = false
	return nil
}

// done is the entry of what was synced.
func (w *writing) done() entry {
	e := w.entry
	w.hash.Sum(e.hash[:0])
	return e
}

// end syncs and closes the file: from now on it never changes.
func (w *writing) end() error {
	if err := w.sync(); err != nil {
		return err
	}
	w.closed, w.buf = true, nil
	err := w.file.Close()
	fault.Point("files/closed")
	return err
}
