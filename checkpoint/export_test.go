package checkpoint

import (
	"context"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// FormatVersion is the format that this build writes.
const FormatVersion = formatVersion

// Needed names the files without which the newest complete epoch cannot be restored, or cannot be known to be the newest.
func (l *Log) Needed() []string {
	names := append([]string{headName}, l.SlotNames()...)
	for _, r := range l.chain.newest.runs {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}

// Kept names all files that must not be deleted now.
func (l *Log) Kept() []string {
	names := l.Needed()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.named() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// SlotNames names the slots from the newest complete epoch's on.
func (l *Log) SlotNames() (names []string) {
	for slot := l.chain.newest.slot; slot <= l.chain.slot; slot++ {
		names = append(names, slotName(slot))
	}
	return names
}

// EpochRecord decodes an object that is the record of an epoch, and gives its lineage, epoch and runs; false for all else.
func EpochRecord(data []byte) (lineage string, e flow.Epoch, names []string, ok bool) {
	r, err := decodeRecord(data)
	if err != nil || r.kind != epochRecord {
		return "", 0, nil, false
	}
	for _, f := range r.runs {
		names = append(names, f.name)
	}
	return r.lineage, r.epoch, names, true
}

// ReadEpoch reads all runs that the record of an epoch names and checks their hashes, as a restore does.
func ReadEpoch(ctx context.Context, s Store, data []byte, f func(delta.Block) error) error {
	r, err := decodeRecord(data)
	if err != nil {
		return err
	}
	l := &Log{o: Options{Store: s, Plan: r.plan}, lineage: r.lineage}
	for _, file := range r.runs {
		if err := l.restoreRun(ctx, file, f); err != nil {
			return err
		}
	}
	return nil
}
