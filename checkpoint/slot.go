package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// ownSlotsMax bounds how many slots of uncertain outcome are adopted in a row: each failed Complete or Begin leaves at most
// one, and the next to take a slot adopts it.
const ownSlotsMax = 4

// headTriesMax bounds how often the head is replaced when others move it at the same time.
const headTriesMax = 8

// take takes the next slot for the record that build makes for it. The head is at the slot before then, or is moved there first. The
// caller holds taking.
func (l *Log) take(ctx context.Context, build func(chain) *record) error {
	for range ownSlotsMax {
		if err := l.moveHead(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		c := l.chain
		l.mu.Unlock()
		r := build(c)
		r.lineage, r.job, r.writer, r.keyGroups = l.lineage, l.o.Job, l.writer, l.keyGroups
		r.slot, r.prev = c.slot+1, c.hash
		data := r.encode()
		if len(data) > recordBytesMax {
			return fmt.Errorf("record of %d bytes, at most %d", len(data), recordBytesMax)
		}
		fault.Point("checkpoint/slot")
		err := l.o.Store.Create(ctx, slotName(r.slot), func(w io.Writer) error { _, err := w.Write(data); return err })
		if errors.Is(err, ErrExists) {
			if err = l.adopt(ctx, r.slot); err != nil {
				return err
			}
			continue // with the slot behind
		}
		if err != nil {
			return fmt.Errorf("take slot %d: %w", r.slot, err)
		}
		fault.Point("checkpoint/slot-taken")
		l.headSafe()
		if err := l.notPassed(ctx, r.slot); err != nil {
			return err
		}
		l.advance(r, sha256.Sum256(data))
		return nil
	}
	return fmt.Errorf("%d slots in a row of uncertain outcome: start the job again", ownSlotsMax)
}

// adopt looks at a slot that was there already. Another run's is the end of this one; this log's own was created by a call
// which returned an error after it had done its work.
func (l *Log) adopt(ctx context.Context, slot uint64) error {
	data, err := readSmall(ctx, l.o.Store, slotName(slot))
	r, err := l.checkSlot(slot, data, err, nil, l.chain.epoch())
	if err != nil {
		return err
	}
	if (r.writer != l.writer || r.prev != l.chain.hash) && !planted.On("slot-of-another-run-adopted") {
		return l.fail(fmt.Errorf("slot %d of job %q (attempt %d, epoch %d): %w; stop one of them", slot, l.o.Job, r.attempt, r.epoch, ErrTaken))
	}
	l.advance(r, sha256.Sum256(data))
	return nil
}

// notPassed looks at the head after a slot was created: when it is there already or beyond, then a newer run had this slot, went on and
// deleted it. A slot is deleted when the head is durably behind it, so a head that is not there yet says that nobody did.
func (l *Log) notPassed(ctx context.Context, slot uint64) error {
	h, err := l.readHead(ctx)
	switch {
	case err != nil:
		return err
	case h == nil:
		return l.headGone()
	case h.lineage != l.lineage || h.slot >= slot:
		return l.fenced(slot, *h)
	}
	return nil
}

func (l *Log) headGone() error {
	return fmt.Errorf("file %q at epoch %d is gone: %w; %s", headName, l.chain.epoch(), ErrDamaged, remedy)
}

func (l *Log) fenced(slot uint64, h head) error {
	return l.fail(fmt.Errorf("slot %d of job %q, head is at slot %d, epoch %d: %w; stop one of them", slot, l.o.Job, h.slot, h.epoch, ErrFenced))
}

// MoveHead moves the head to the newest slot. The engine calls it behind each Complete, when the epoch's output is on its way: a record
// counts without it, and the next Complete or Begin does it when it was not done, and has its error.
func (l *Log) MoveHead(ctx context.Context) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	l.mu.Lock()
	err := l.usable()
	l.mu.Unlock()
	if err == nil {
		err = l.moveHead(ctx)
	}
	return err
}

// moveHead replaces the head by one that names the newest slot, unless it does. When it names a later one, a newer run has gone past this
// one. The caller holds taking.
func (l *Log) moveHead(ctx context.Context) error {
	slot := l.chain.slot
	if l.chain.headSlot == slot {
		return nil
	}
	data := head{lineage: l.lineage, slot: slot, hash: l.chain.hash, epoch: l.chain.epoch()}.encode()
	for range headTriesMax {
		err := l.o.Store.Replace(ctx, headName, l.chain.headData, data)
		if err == nil {
			l.headIs(data, slot)
			fault.Point("checkpoint/head-moved")
			return nil
		}
		if !errors.Is(err, ErrExists) {
			return fmt.Errorf("move head to slot %d: %w", slot, err)
		}
		h, err := l.readHead(ctx)
		switch {
		case err != nil:
			return err
		case h == nil:
			return l.headGone()
		case bytes.Equal(l.chain.headData, data):
			return nil // our own, by a call that returned an error
		case h.lineage != l.lineage || h.slot >= slot:
			return l.fenced(slot, *h)
		}
	}
	return fmt.Errorf("move head to slot %d: changed by others %d times in a row", slot, headTriesMax)
}

// headSafe notes that the head's last Replace survives a power cut: by the contract of Replace, once a slot was created
// behind it.
func (l *Log) headSafe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain.headSynced = l.chain.headSlot
}

// headIs notes what the head holds.
func (l *Log) headIs(data []byte, slot uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain.headData, l.chain.headSlot = data, slot
}

// fail makes an error final.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	return err
}

// advance takes note of a slot that is ours.
func (l *Log) advance(r *record, hash digest) {
	r.inline = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.chain
	c.slot, c.hash, c.attempt = r.slot, hash, r.attempt
	l.doubt = nil
	if r.kind != epochRecord {
		return
	}
	if c.newest != nil {
		c.older = slices.Insert(c.older, 0, c.newest)
	}
	c.older = c.older[:min(len(c.older), l.o.Retain-1)]
	c.newest = r
	l.stats.Epochs++
	// A torn segment is newer than all in l.runs. If its slot was taken after all, this is the record.
	for _, t := range l.torn {
		same := func(o run) bool { return o == t || o.name == t.name && planted.On("torn-run-known-by-its-slot") }
		if slices.ContainsFunc(r.runs, same) {
			l.runs = append(slices.Clip(l.runs), t)
		} else {
			l.drop(t)
		}
	}
	l.torn = nil
}
