package checkpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// remedy is what a person can do about damage.
const remedy = "put the file back from a copy, or start with an empty state directory, which loses the state"

// remedyFor is the remedy for an error of reading a file.
func remedyFor(err error) string {
	if errors.Is(err, ErrVersion) {
		return "start the build that wrote it, or " + remedy
	}
	return remedy
}

// chain is what is known of the slots.
type chain struct {
	headData   []byte // content of the head when it was read or written last; nil when there is none
	headSlot   uint64 // which it names
	headSynced uint64 // which the head names at least after a power cut; <= headSlot
	slot       uint64 // the newest; 0 in a new lineage
	hash       digest // of its record
	attempt    flow.Attempt
	newest     *record   // newest complete epoch, or nil
	older      []*record // complete epochs before it that are kept as well, newest first
	oldest     uint64    // slots below are deleted or waiting for it
}

// epoch is the number of the newest complete epoch, 0 without one.
func (c *chain) epoch() flow.Epoch {
	if c.newest == nil {
		return 0
	}
	return c.newest.epoch
}

// follow reads the head, the slots it names and those behind it.
func (l *Log) follow(ctx context.Context) error {
	h, err := l.readHead(ctx)
	if err != nil {
		return err
	}
	if h == nil {
		return l.startLineage(ctx)
	}
	l.lineage = h.lineage
	r, err := l.lastSlot(ctx, *h)
	if err != nil {
		return err
	}
	if r == nil && h.epoch > 0 {
		return l.goOnBeginning(ctx, h.epoch)
	}
	if err := l.checkOrigin(ctx, r); err != nil {
		return err
	}
	if r == nil {
		return l.wantEmpty(ctx, headName)
	}
	if r.job != l.o.Job {
		return fmt.Errorf("the state is of job %q; give each job a state directory of its own", r.job)
	}
	l.keyGroups, l.chain.attempt = r.keyGroups, r.attempt
	if err := l.findEpochs(ctx, r, h.epoch); err != nil {
		return err
	}
	return l.checkNewest(ctx)
}

// readHead gives nil when there is no head.
func (l *Log) readHead(ctx context.Context) (*head, error) {
	data, err := readSmall(ctx, l.o.Store, headName)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	var h head
	if err == nil {
		h, err = decodeHead(data)
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) {
		return nil, fmt.Errorf("file %q, which names the newest slot (%s): %w; %s", headName, l.describeNewest(ctx), err, remedyFor(err))
	}
	if err != nil {
		return nil, err
	}
	l.headIs(data, h.slot)
	return &h, nil
}

// startLineage makes the id of a new lineage, when the store is empty.
func (l *Log) startLineage(ctx context.Context) error {
	l.lineage = randomID(8)
	if err := l.wantEmpty(ctx); err != nil || l.o.From == nil {
		return err
	}
	return l.beginFrom(ctx)
}

// wantEmpty is the guard against starting from nothing where there was something.
func (l *Log) wantEmpty(ctx context.Context, but ...string) error {
	names, err := l.o.Store.List(ctx)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(but, n) })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	missing := headName
	if len(but) > 0 {
		missing = slotName(1)
	}
	return fmt.Errorf("the store holds %d files (%q first), but not %q (%s): %w; %s", len(names), names[0], missing, l.describeNewest(ctx), ErrDamaged, remedy)
}

// describeNewest says, for an error text only, which epoch a listing shows as the newest.
func (l *Log) describeNewest(ctx context.Context) string {
	const unknown = "newest epoch unknown"
	names, err := l.o.Store.List(ctx)
	if err != nil {
		return unknown
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		data, err := readSmall(ctx, l.o.Store, name)
		if err != nil {
			continue
		}
		if r, err := decodeRecord(data); err == nil {
			return fmt.Sprintf("newest readable record: %q, epoch %d", name, r.epoch)
		}
	}
	return unknown
}

// lastSlot reads the slot that the head names and probes forward to the newest; nil when there is none.
func (l *Log) lastSlot(ctx context.Context, h head) (last *record, err error) {
	c := &l.chain
	if c.slot, c.hash = h.slot, h.hash; h.slot > 0 {
		if last, err = l.readSlot(ctx, h.slot, &h.hash, h.epoch); err != nil {
			return nil, err
		}
	}
	for {
		data, err := readSmall(ctx, l.o.Store, slotName(c.slot+1))
		if errors.Is(err, ErrNotFound) || last != nil && planted.On("no-probe-behind-the-head") {
			return last, nil
		}
		next, err := l.checkSlot(c.slot+1, data, err, nil, h.epoch)
		if err != nil {
			return nil, err
		}
		if next.prev != c.hash {
			return nil, fmt.Errorf("file %q, behind epoch %d: its predecessor is not %q: %w; %s", slotName(next.slot), h.epoch, slotName(c.slot), ErrDamaged, remedy)
		}
		c.slot, c.hash, last = next.slot, sha256.Sum256(data), next
	}
}

// readSlot reads a slot that must be there with the given hash; near is an epoch for the error text.
func (l *Log) readSlot(ctx context.Context, slot uint64, want *digest, near flow.Epoch) (*record, error) {
	data, err := readSmall(ctx, l.o.Store, slotName(slot))
	return l.checkSlot(slot, data, err, want, near)
}

// checkSlot decodes what was read from a slot.
func (l *Log) checkSlot(slot uint64, data []byte, err error, want *digest, near flow.Epoch) (*record, error) {
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var r *record
	if err == nil {
		r, err = decodeRecord(data)
	}
	switch {
	case err != nil:
	case r.slot != slot || r.lineage != l.lineage:
		err = fmt.Errorf("%w: record of slot %d, lineage %q; want lineage %q", ErrDamaged, r.slot, r.lineage, l.lineage)
	case want != nil && sha256.Sum256(data) != *want:
		err = fmt.Errorf("%w: another record than the one that followed it saw", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("record %q, at epoch %d or behind: %w; %s", slotName(slot), near, err, remedyFor(err))
	}
	r.keep()
	return r, nil
}

// findEpochs goes back from the newest slot to the newest complete epoch, up to which all must be there, and on to those that are
// kept beside it, as far as they are whole: what is missing was deleted as garbage, and is not needed.
func (l *Log) findEpochs(ctx context.Context, r *record, near flow.Epoch) (err error) {
	for r.kind != epochRecord && r.slot > 1 {
		if r, err = l.readSlot(ctx, r.slot-1, &r.prev, near); err != nil {
			return err
		}
	}
	if r.kind != epochRecord {
		return nil // the chain begins with attempts: no epoch was ever complete
	}
	l.chain.newest, l.runs = r, r.runs
	whole := map[string]bool{}
	for r.slot > 1 && len(l.chain.older) < l.o.Retain-1 {
		if r, err = l.readSlot(ctx, r.slot-1, &r.prev, near); err != nil {
			return ctx.Err()
		}
		if r.kind != epochRecord {
			continue
		}
		if !l.haveRuns(ctx, r.runs, whole) {
			return ctx.Err()
		}
		l.chain.older = append(l.chain.older, r)
	}
	return nil
}

// haveRuns says whether all runs are there. whole remembers those that are.
func (l *Log) haveRuns(ctx context.Context, runs []run, whole map[string]bool) bool {
	for _, r := range runs {
		if !whole[r.name] && haveRun(ctx, l.own(), r) != nil {
			return false
		}
		whole[r.name] = true
	}
	return true
}

// haveRun checks that a run is there and has its size.
func haveRun(ctx context.Context, s source, r run) error {
	o, err := openObject(ctx, s.store, s.lineage, r)
	if err != nil {
		return err
	}
	if o.Size() != r.size {
		err = fmt.Errorf("%w: %d bytes, want %d", ErrDamaged, o.Size(), r.size)
	}
	return errors.Join(err, o.Close())
}

// checkNewest checks the newest epoch's plan, and that its files are there.
func (l *Log) checkNewest(ctx context.Context) error {
	r := l.chain.newest
	if r == nil {
		return nil
	}
	rewrites, err := r.plan.match(r.job, l.o.Plan, l.o.Evolve)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", r.epoch, err)
	}
	if len(rewrites) > 0 {
		l.evolution = &evolution{slot: r.slot, schemas: r.plan.Schemas, rewrites: rewrites}
	}
	for _, f := range r.runs {
		if err := haveRun(ctx, l.own(), f); err != nil {
			return fmt.Errorf("epoch %d: %w", r.epoch, f.explain(err))
		}
	}
	return nil
}

// readSmall reads a whole head or record.
func readSmall(ctx context.Context, s Store, name string) ([]byte, error) {
	o, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Size() > recordBytesMax {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrDamaged, o.Size(), recordBytesMax)
	}
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err == nil && int64(len(data)) != o.Size() {
		err = fmt.Errorf("%w: cut off", ErrDamaged)
	}
	return data, err
}
