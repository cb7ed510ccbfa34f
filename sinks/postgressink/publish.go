package postgressink

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/sinks"
)

// publisher publishes epochs for one attempt.
type publisher struct {
	retrier[session]
	of      scope
	attempt flow.Attempt
	branch  bool // the epochs are of another lineage, from whose savepoint this one began; it may go on, and publish them itself
}

func newPublisher(open func(context.Context) (session, error), cfg Config, at sinks.Instance) *publisher {
	return &publisher{
		retrier: retrier[session]{open: open, cfg: cfg},
		of:      scope{at.Lineage, at.Operator}, attempt: at.Attempt,
	}
}

// publish makes all of what was prepared visible in one transaction. What the table of epochs has already is left out: it, and no error, says
// whether an earlier try was committed.
func (p *publisher) publish(ctx context.Context, all []publication) error {
	if len(all) == 0 {
		return nil
	}
	return p.do(ctx, func(ctx context.Context, s session) error {
		st, err := s.begin(ctx, p.of, names(all))
		if err != nil {
			return err
		}
		fault.Point("postgres/begun")
		if err := p.holds(st.lease); err != nil {
			return err
		}
		due, err := st.due(all)
		switch {
		case err != nil:
			return err
		case len(due) == 0:
			return s.leave(ctx)
		}
		fault.Soon("postgres/commit-under-way")
		err = s.write(ctx, p.of, due)
		fault.Point("postgres/commit-answered")
		return err
	})
}

func names(all []publication) []taskEpoch {
	asked := make([]taskEpoch, len(all))
	for i, x := range all {
		asked[i] = taskEpoch{x.task, x.epoch}
	}
	return asked
}

// holds is an error when the lease is not this attempt's.
func (p *publisher) holds(lease flow.Attempt) error {
	switch {
	case lease > p.attempt && p.branch:
		return nil
	case lease > p.attempt:
		return fmt.Errorf("attempt %d has the lease of lineage %q, operator %q; this is attempt %d: %w", lease, p.of.lineage, p.of.operator, p.attempt, sinks.ErrFenced)
	case lease < p.attempt:
		return fmt.Errorf("the lease of lineage %q, operator %q is attempt %d's, and attempt %d had taken it: %s", p.of.lineage, p.of.operator, lease, p.attempt, wentBack)
	}
	return nil
}

// wentBack is what has happened when the database does not know what it had confirmed.
const wentBack = "the database has lost what it had committed, such as by going over to a standby that lagged; bring it back, or start the job anew with an empty state directory"

// due is what of all is not published yet, by task and epoch. An epoch must come behind the one that its Prepare saw.
func (st standing) due(all []publication) (due []publication, err error) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b publication) int {
		if a.task != b.task {
			return a.task - b.task
		}
		return int(a.epoch - b.epoch)
	})
	for _, x := range all {
		last := st.last[x.task]
		by, published := st.attempts[taskEpoch{x.task, x.epoch}]
		switch {
		case x.count == 0 && last < x.previous, x.count > 0 && !published && x.previous > last:
			return nil, fmt.Errorf("epoch %d of task %d comes behind epoch %d, and the newest in the table is %d: %s", x.epoch, x.task, x.previous, last, wentBack)
		case x.count == 0: // it only asks
		case published && by != x.attempt:
			return nil, fmt.Errorf("epoch %d of task %d was published by attempt %d and is not to be replaced by that of attempt %d: %s", x.epoch, x.task, by, x.attempt, older)
		case published, x.epoch < st.oldest[x.task]: // long ago, its row is gone
		case x.previous != last:
			return nil, fmt.Errorf("epoch %d of task %d comes behind epoch %d, and the newest in the table is %d already: %s", x.epoch, x.task, x.previous, last, older)
		default:
			due = append(due, x)
			st.last[x.task] = x.epoch
		}
	}
	return due, nil
}

// older is what has happened when the table has more than the job knows of.
const older = "the job was started from an older checkpoint than the one that published it; start from the newest, or anew with an empty state directory and a table to match"

// takeOver makes this attempt the one that publishes: whoever had the lease before cannot. prepared are the attempts whose output is in the
// record; the tables must know them. It returns the newest epoch of each task.
func (p *publisher) takeOver(ctx context.Context, restored flow.Epoch, prepared flow.Attempt) (last map[int]flow.Epoch, err error) {
	err = p.do(ctx, func(ctx context.Context, s session) error {
		st, err := s.claim(ctx, p.of)
		if err != nil {
			return err
		}
		if st.lease > p.attempt {
			return p.holds(st.lease)
		}
		if st.lease < prepared {
			return fmt.Errorf("the checkpoint holds output of attempt %d, and the newest that the tables know of lineage %q, operator %q is attempt %d: %s",
				prepared, p.of.lineage, p.of.operator, st.lease, wentBack)
		}
		for task, epoch := range st.last {
			if restored > 0 && epoch > restored {
				return fmt.Errorf("the table has epoch %d of task %d, and the job starts from epoch %d: %s", epoch, task, restored, older)
			}
		}
		last = st.last
		fault.Point("postgres/lease-claimed")
		return s.settle(ctx, p.of, p.attempt)
	})
	return last, err
}
