package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// Begin takes a slot: the next attempt starts from the newest epoch. The engine calls it at start and at each restart after
// a failure, before Restore, when no Complete of the attempt before can be called any more; one under way is waited for.
// From then on no other run of the job that had the state open can complete an epoch: it gets ErrTaken or ErrFenced, as this one does when
// another was faster. The first Begin also removes what crashed runs left behind.
func (l *Log) Begin(ctx context.Context) (flow.Attempt, error) {
	l.taking.Lock()
	defer l.taking.Unlock()
	l.mu.Lock()
	err, first := l.usable(), l.begun == 0
	l.mu.Unlock()
	var names []string
	if err == nil && first {
		if names = l.list(ctx); planted.On("sweep-before-the-slot") {
			l.sweep(ctx, names)
		}
	}
	if err == nil && l.chain.headData == nil {
		err = l.firstHead(ctx)
	}
	if err == nil && l.from != nil && l.chain.newest == nil {
		err = l.bringIn(ctx)
	}
	if err == nil {
		err = l.take(ctx, func(c chain) *record {
			return &record{kind: attemptRecord, attempt: c.attempt + 1, epoch: c.epoch()}
		})
	}
	if err == nil {
		err = l.moveHead(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("begin an attempt of job %q: %w", l.o.Job, err)
	}
	if first {
		fault.Point("checkpoint/sweep")
		l.sweep(ctx, names)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = l.chain.attempt
	return l.begun, nil
}

// firstHead writes down that there is a lineage, before its first slot: so a store with files and no head is known to
// have lost it.
func (l *Log) firstHead(ctx context.Context) error {
	h := head{lineage: l.lineage}
	if l.from != nil {
		h.epoch = l.from.record.epoch // from now on it does not begin empty
	}
	data := h.encode()
	err := l.o.Store.Replace(ctx, headName, nil, data)
	if errors.Is(err, ErrExists) {
		if _, err := l.readHead(ctx); err != nil {
			return err
		}
		if bytes.Equal(l.chain.headData, data) {
			return nil // our own, by a call that returned an error
		}
		return l.fail(fmt.Errorf("%w: it started the lineage first; stop one of them", ErrTaken))
	}
	if err != nil {
		return fmt.Errorf("write head: %w", err)
	}
	fault.Point("checkpoint/first-head")
	l.headIs(data, l.chain.headSlot)
	return nil
}
