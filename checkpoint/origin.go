package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/flow"
)

// A lineage that begins from a savepoint has, in this order: a head that names no slot but the savepoint's epoch, so that it never begins
// empty; the object origin, which says for ever from which savepoint; one run with the savepoint's state; and slot 1, the record of
// that epoch, made by attempt 0. A crash before slot 1 leaves a beginning that only the same savepoint can go on with.

// originName is the object that names the savepoint a lineage was begun from.
const originName = "origin"

// beginFrom opens the savepoint that the new lineage begins with.
func (l *Log) beginFrom(ctx context.Context) error {
	s, err := openSavepoint(ctx, l.o.From)
	if err != nil {
		return err
	}
	rewrites, err := s.record.plan.match(s.record.job, l.o.Plan, l.o.Evolve)
	if err != nil {
		return fmt.Errorf("savepoint at epoch %d: %w", s.record.epoch, err)
	}
	if len(rewrites) > 0 {
		l.evolution = &evolution{schemas: s.record.plan.Schemas, rewrites: rewrites}
	}
	l.from, l.keyGroups = s, s.record.keyGroups
	return nil
}

// goOnBeginning follows a run that ended while it brought a savepoint in.
func (l *Log) goOnBeginning(ctx context.Context, e flow.Epoch) error {
	if l.o.From == nil {
		return fmt.Errorf("the state was to begin from a savepoint at epoch %d, and that was not finished: start from the savepoint again, "+
			"or with an empty state directory", e)
	}
	if err := l.beginFrom(ctx); err != nil {
		return err
	}
	if l.from.record.epoch != e {
		return fmt.Errorf("%w: it was to begin at epoch %d, the savepoint is of epoch %d", ErrOrigin, e, l.from.record.epoch)
	}
	return nil
}

// checkOrigin refuses a savepoint that has no part in a lineage which has begun; newest is its newest record, nil when it has none.
func (l *Log) checkOrigin(ctx context.Context, newest *record) error {
	if l.o.From == nil {
		return nil
	}
	s, err := openSavepoint(ctx, l.o.From)
	if err != nil {
		return err
	}
	sum, err := l.origin(ctx)
	if err == nil && sum == s.sum {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	e := flow.Epoch(0)
	if newest != nil {
		e = newest.epoch
	}
	return fmt.Errorf("%w: the state directory holds epoch %d of another beginning; go on from there without the savepoint, or give the savepoint an "+
		"empty state directory", ErrOrigin, e)
}

// origin reads from which savepoint the lineage was begun.
func (l *Log) origin(ctx context.Context) (digest, error) {
	data, err := readSmall(ctx, l.o.Store, originName)
	if err != nil {
		return digest{}, err
	}
	payload, err := unseal(originMagic, data)
	if err != nil {
		return digest{}, fmt.Errorf("file %q: %w; %s", originName, err, remedyFor(err))
	}
	f := &fields{rest: payload}
	return f.digest(), f.end()
}

// bringIn makes the savepoint's epoch the first of the lineage. The state is written anew, as one run: so it is checked, of the
// lineage, and independent of the savepoint. The caller holds taking; the head is there.
func (l *Log) bringIn(ctx context.Context) error {
	s := l.from
	data := seal(originMagic, s.sum[:])
	err := l.o.Store.Create(ctx, originName, func(w io.Writer) error { _, err := w.Write(data); return err })
	if errors.Is(err, ErrExists) {
		err = l.checkOrigin(ctx, nil)
	}
	if err != nil {
		return err
	}
	var runs []run
	if len(s.record.runs) > 0 {
		r, err := l.merge(ctx, source{l.o.From, s.record.lineage, l.o.Without}, s.record.runs, true, l.evolution)
		if err != nil {
			return fmt.Errorf("bring in the savepoint of job %q at epoch %d: %w", s.record.job, s.record.epoch, err)
		}
		runs = []run{r}
	}
	err = l.take(ctx, func(chain) *record {
		return &record{kind: epochRecord, epoch: s.record.epoch, plan: l.o.Plan, runs: runs, meta: s.record.meta}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.torn = append(l.torn, runs...)
		return err
	}
	l.runs, l.evolution, l.from = runs, nil, nil
	return nil
}
