package millrace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// commitEvery is the time between two epochs of a job whose sinks publish with each.
const commitEvery = 20 * time.Millisecond

// cadence is when a sink step publishes.
func (s *step) cadence() sinks.Cadence {
	if t, ok := s.sink.(sinks.Transactional); ok {
		return t.Commits()
	}
	return sinks.AtOnce
}

// paced is c with epochs as often as the sinks publish, unless c says how often. It is for a Config without its defaults.
func (j *Job) paced(c Config) Config {
	if c.CommitEvery != 0 || c.Trigger.batches() {
		return c
	}
	for _, s := range j.steps {
		if s.Sink && s.cadence() == sinks.PerEpoch {
			c.CommitEvery = min(commitEvery, c.withDefaults().CheckpointEvery)
		}
	}
	return c
}

// commitFaults say why a sink step cannot publish under c as was asked.
func (s *step) commitFaults(c Config) (faults []error) {
	if s.cadence() == sinks.AtOnce {
		return nil
	}
	if s.cadence() == sinks.PerEpoch && c.Guarantee == AtMostOnce { // batches end in drained epochs, also when nothing is recorded
		faults = append(faults, fmt.Errorf("operator %q: the sink publishes with each epoch, and at-most-once has no epochs; take another guarantee, "+
			"or let the sink publish as it writes", s.ID))
	}
	need := 2 * (c.CommitEvery + c.EpochTimeout + c.RestartMax)
	if e, ok := s.sink.(sinks.Expirer); ok && c.Guarantee != AtMostOnce && e.PreparedFor() < need {
		faults = append(faults, fmt.Errorf("operator %q: what the sink has prepared is given up after %v, and it may have to wait %v, twice the sum of CommitEvery, EpochTimeout and RestartMax; "+
			"raise the sink's transaction timeout, or lower these", s.ID, e.PreparedFor(), need))
	}
	if from := s.readsUncommitted(); from != nil && c.Guarantee == ExactlyOnce {
		faults = append(faults, fmt.Errorf("operator %q: its sink publishes exactly once, but source %q reads what may never be committed; let the source read committed records only, "+
			"or take at-least-once", s.ID, from.ID))
	}
	return faults
}

// readsUncommitted is a source in front of s that may give records which its own writer takes back; nil when there is none.
func (s *step) readsUncommitted() *step {
	if s.splits != nil && s.splits.uncommitted {
		return s
	}
	for _, r := range s.readers {
		if from := r.from().readsUncommitted(); from != nil {
			return from
		}
	}
	return nil
}

// recovery is how an attempt's sink step begins: it publishes what older attempts have prepared.
func (d *deployment) recovery(s *step, t sinks.Transactional) func(context.Context, flow.Epoch, []sinks.Prepared) error {
	return func(ctx context.Context, restored flow.Epoch, prepared []sinks.Prepared) error {
		if t.Commits() == sinks.AtOnce && len(prepared) == 0 {
			return nil
		}
		at := d.instance(s, 0, len(d.tasks(s.ID)))
		at.Restored = restored
		return t.Recover(ctx, at, prepared)
	}
}

var errUncommitted = errors.New("the sink's writers want to commit, but the sink does not say so by sinks.Transactional")

// wellCommitted says whether a writer commits although nobody would recover what it has prepared.
func wellCommitted(sink, w any) error {
	_, commits := w.(sinks.Committer)
	if t, ok := sink.(sinks.Transactional); commits && (!ok || t.Commits() == sinks.AtOnce) {
		return errUncommitted
	}
	return nil
}
