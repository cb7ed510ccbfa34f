package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// state of a transaction.
type txState uint8

const (
	open txState = iota
	prepared
	committed
	aborted
)

func (s txState) String() string { return [...]string{"open", "prepared", "committed", "aborted"}[s] }

// transaction is what a writer wrote for an epoch.
type transaction struct {
	id      string
	sink    string
	attempt flow.Attempt
	epoch   flow.Epoch
	state   txState
	by      *process // that opened it
}

// written is a record in the outside's log, seen when its transaction is committed.
type written struct {
	tx    *transaction
	event Event
}

// outside is where sinks write: a log with transactions.
type outside struct {
	log      []written
	txs      map[string]*transaction
	fence    map[string]flow.Attempt // by sink: older attempts are refused
	recovers map[string]flow.Attempt // by sink: the newest attempt that began
}

func newOutside() *outside {
	return &outside{txs: map[string]*transaction{}, fence: map[string]flow.Attempt{}, recovers: map[string]flow.Attempt{}}
}

// sink is a transactional sink of the outside.
type sink struct {
	w  *world
	id string
}

// Commits implements sinks.Transactional.
func (s *sink) Commits() sinks.Cadence { return sinks.PerEpoch }

// Open implements sinks.Sink.
func (s *sink) Open(_ context.Context, at sinks.Instance) (sinks.Writer[Event], error) {
	return &writer{s: s, p: s.w.stepping, at: at}, nil
}

// Recover implements sinks.Transactional.
func (s *sink) Recover(_ context.Context, at sinks.Instance, all []sinks.Prepared) error {
	w, p := s.w, s.w.stepping
	if !p.wait(sinkSlow) {
		return errKilled
	}
	if last := w.out.recovers[s.id]; at.Attempt <= last {
		if !p.zombie {
			w.violates("sink %s: attempt %d begins after attempt %d", s.id, at.Attempt, last)
		}
		return sinks.ErrFenced
	}
	w.out.recovers[s.id] = at.Attempt
	if w.s.fences {
		w.out.fence[s.id] = at.Attempt
	}
	known := map[string]bool{}
	for _, t := range all {
		known[string(t.Token)] = true
		if w.strikes(sinkFails) {
			return fmt.Errorf("recover: %w", errInjected)
		}
		if err := w.commit(string(t.Token), true); err != nil {
			return err
		}
		if !p.wait(sinkSlow) {
			return errKilled
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.out.txs)) {
		if t := w.out.txs[id]; t.sink == s.id && t.attempt < at.Attempt && t.state < committed && !known[id] {
			t.state = aborted
		}
	}
	return nil
}

// commit makes a transaction seen.
func (w *world) commit(id string, again bool) error {
	t := w.out.txs[id]
	switch {
	case t == nil:
		w.violates("commit of %s, which nobody has opened", id)
		return fmt.Errorf("%s is unknown", id)
	case t.state == committed && again:
		return nil
	case t.state != prepared:
		w.violates("commit of %s, which is %v", id, t.state)
		return fmt.Errorf("%s is %v", id, t.state)
	}
	if newest := w.newestRecord(); newest < t.epoch {
		w.violates("commit of %s of epoch %d; the newest record is of epoch %d", id, t.epoch, newest)
	}
	t.state = committed
	return nil
}

// writer writes for one task.
type writer struct {
	s  *sink
	p  *process
	at sinks.Instance
	tx *transaction
	n  int
}

func (w *writer) refused() error {
	if w.s.w.out.fence[w.s.id] > w.at.Attempt {
		return sinks.ErrFenced
	}
	return nil
}

// Write implements sinks.Writer.
func (w *writer) Write(_ context.Context, b *flow.Batch[Event]) error {
	if !w.p.wait(sinkSlow) {
		return errKilled
	}
	if w.s.w.strikes(sinkFails) {
		return fmt.Errorf("write: %w", errInjected)
	}
	if err := w.refused(); err != nil {
		return err
	}
	if w.tx == nil {
		w.n++
		id := fmt.Sprintf("%s/%d/%d/%d", w.s.id, w.at.Attempt, w.at.Task, w.n)
		w.tx = &transaction{id: id, sink: w.s.id, attempt: w.at.Attempt, by: w.p}
		w.s.w.out.txs[id] = w.tx
	}
	for i := range b.Records {
		w.s.w.out.log = append(w.s.w.out.log, written{w.tx, b.Records[i].Value})
	}
	return nil
}

// Prepare implements sinks.Committer.
func (w *writer) Prepare(_ context.Context, e flow.Epoch) ([]byte, error) {
	if !w.p.wait(sinkSlow) {
		return nil, errKilled
	}
	if w.tx == nil {
		return nil, nil
	}
	if w.s.w.strikes(sinkFails) {
		return nil, fmt.Errorf("prepare: %w", errInjected)
	}
	if err := w.refused(); err != nil {
		return nil, err
	}
	t := w.tx
	w.tx = nil
	if t.state == open {
		t.state, t.epoch = prepared, e
	}
	return []byte(t.id), nil
}

// Commit implements sinks.Committer.
func (w *writer) Commit(_ context.Context, tokens [][]byte) error {
	for _, token := range tokens {
		if !w.p.wait(sinkSlow) {
			return errKilled
		}
		if w.s.w.strikes(sinkFails) {
			return fmt.Errorf("commit: %w", errInjected)
		}
		if err := w.s.w.commit(string(token), w.p.zombie); err != nil {
			return err
		}
		if w.s.w.strikes(sinkLost) {
			return fmt.Errorf("commit, which took place: %w", errInjected)
		}
	}
	return nil
}

// Flush implements sinks.Writer. It is not called.
func (w *writer) Flush(context.Context) error { return nil }

// Close implements sinks.Writer.
func (w *writer) Close() error { return nil }
