package checkpoint

import (
	"context"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// slotPrefix begins the names of slots; they sort by number.
const slotPrefix = "slot-"

// list names what is there before a slot is taken. An error stops nothing: what is not listed is not swept.
func (l *Log) list(ctx context.Context) []string {
	names, err := l.o.Store.List(ctx)
	if err == nil {
		return names
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.GarbageErrors++
	return nil
}

// sweep finds what crashed runs left behind: runs without a record, and slots below the kept ones. names was listed before a slot was
// taken, and that was: so no older run can still complete an epoch with one of these files, and none of them is of a newer run, which may
// have overtaken this one meanwhile. An error here leaves files.
func (l *Log) sweep(ctx context.Context, names []string) {
	l.mu.Lock()
	l.chain.oldest = l.horizon()
	named := l.named()
	for _, name := range names {
		if isRunName(name) && !named[name] || strings.HasPrefix(name, slotPrefix) && name < slotName(l.chain.oldest) {
			l.dead = append(l.dead, name)
		}
	}
	l.mu.Unlock()
	l.deleteDead(ctx)
}

// horizon is the lowest slot that is kept: that of the oldest complete epoch that is, or lower when the head may point there after
// a power cut. The caller holds mu.
func (l *Log) horizon() uint64 {
	c := &l.chain
	switch {
	case c.newest == nil:
		return min(1, c.headSynced)
	case len(c.older) == 0:
		return min(c.newest.slot, c.headSynced)
	}
	if planted.On("slots-of-the-synced-head-deleted") {
		return c.newest.slot
	}
	return min(c.older[len(c.older)-1].slot, c.headSynced)
}

// drop lets the files of runs go that no record will name any more. A slot goes when the horizon is past it and no record that is kept
// names its inline run. The caller holds mu.
func (l *Log) drop(runs ...run) {
	for _, r := range runs {
		if r.slot == 0 {
			l.dead = append(l.dead, r.name)
		}
	}
}

// deleteDead deletes the files nothing names any more. Those that cannot be deleted stay on the list.
func (l *Log) deleteDead(ctx context.Context) {
	l.mu.Lock()
	for h := l.horizon(); l.chain.oldest < h; l.chain.oldest++ {
		l.dead = append(l.dead, slotName(l.chain.oldest))
	}
	kept := l.named()
	var dead, still []string
	for _, name := range l.dead {
		forgotten := planted.On("slot-of-an-inline-run-deleted") && strings.HasPrefix(name, slotPrefix)
		if kept[name] && !forgotten {
			still = append(still, name)
		} else {
			dead = append(dead, name)
		}
	}
	l.dead = still
	l.mu.Unlock()
	if len(dead) == 0 {
		return
	}
	slices.Sort(dead)
	fault.Point("checkpoint/garbage")
	if l.o.Store.Delete(ctx, dead...) == nil {
		fault.Point("checkpoint/garbage-deleted")
		return
	}
	// One file that cannot be deleted must not keep the others.
	left := slices.DeleteFunc(dead, func(name string) bool { return l.o.Store.Delete(ctx, name) == nil })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = append(l.dead, left...)
	l.stats.GarbageErrors++
}

// named is the set of objects with runs which must not be deleted: those of the complete epochs that are kept or pinned, of the record being
// written, of the next one, and of records that may exist. The caller holds mu.
func (l *Log) named() map[string]bool {
	lists := [][]run{l.runs, l.pinned, l.torn, l.doubt}
	if l.chain.newest != nil && !planted.On("garbage-of-the-newest-epoch") {
		lists = append(lists, l.chain.newest.runs)
	}
	for _, r := range l.chain.older {
		lists = append(lists, r.runs)
	}
	for p := range l.pins {
		lists = append(lists, p.record.runs)
	}
	if planted.On("garbage-of-the-record-being-written") {
		lists[1] = nil
	}
	names := map[string]bool{}
	for _, list := range lists {
		for _, r := range list {
			names[r.name] = true
		}
	}
	return names
}
