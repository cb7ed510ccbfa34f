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

// commitFault says that a sink step cannot publish under c.
func (s *step) commitFault(c Config) error {
	if s.cadence() != sinks.PerEpoch || c.Guarantee != AtMostOnce { // batches end in drained epochs, also when nothing is recorded
		return nil
	}
	return fmt.Errorf("operator %q: the sink publishes with each epoch, and at-most-once has no epochs; take another guarantee, "+
		"or let the sink publish as it writes", s.ID)
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
