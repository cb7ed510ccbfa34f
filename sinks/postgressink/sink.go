package postgressink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/sinks"
)

// Sink writes a table exactly once; see Table.
type Sink[T any] struct {
	cfg  Config
	open func(cols columns) func(context.Context) (session, error)

	mu        sync.Mutex // guards recovered
	recovered map[scope]recovery
}

// recovery is where the tasks of an attempt go on.
type recovery struct {
	attempt flow.Attempt
	last    map[int]flow.Epoch // the newest published epoch by task
}

// Table is a sink whose rows are structs: each exported field is the column of its tag db:"name", or of its own name as
// lower_snake_case; db:"-" leaves it out. Columns that no field names get their defaults.
//
// Without Config.Key records are inserted. With one they replace the row of their key, and deletions delete it; that is what update
// mode needs, and what is left of an epoch is the last change of each key.
//
// The rows of an epoch are kept in the checkpoint until the epoch is complete. Then one transaction, on a connection of each task, writes them
// together with a row about the epoch in the table millrace_epochs, and holds the row of the attempt in millrace_leases. A transaction whose end is
// not known is looked up there; one that failed passingly is done again.
func Table[T any](cfg Config) *Sink[T] {
	s := &Sink[T]{cfg: cfg.withDefaults(), recovered: map[scope]recovery{}}
	s.open = func(cols columns) func(context.Context) (session, error) { return openSession(s.cfg, cols) }
	return s
}

// Modes implements sinks.Moder.
func (s *Sink[T]) Modes() []sinks.Mode {
	if len(s.cfg.Key) == 0 {
		return []sinks.Mode{sinks.Append}
	}
	return []sinks.Mode{sinks.Append, sinks.Update}
}

// Guarantee implements sinks.Guarantor.
func (s *Sink[T]) Guarantee() string { return "exactly-once: a transaction for each epoch" }

// Commits implements sinks.Transactional.
func (s *Sink[T]) Commits() sinks.Cadence { return sinks.PerEpoch }

// Check reports a wrong configuration, a server that cannot be reached, and tables, columns and indexes that are missing. It makes the
// tables about epochs when it may.
func (s *Sink[T]) Check(ctx context.Context) error {
	cols, err := columnsOf[T](s.cfg.Key)
	_, problem := rowCodecOf[T]()
	if err = errors.Join(err, problem); err == nil {
		err = s.cfg.check(ctx, cols, leasesTable, epochsTable)
	}
	return s.wrap(err)
}

func (s *Sink[T]) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("postgres table %s: %w", s.cfg.table(), err)
}

// Open makes the writer of a task. It connects when there is something to publish.
func (s *Sink[T]) Open(_ context.Context, at sinks.Instance) (sinks.Writer[T], error) {
	w, err := s.writer(at)
	if err != nil {
		return nil, s.wrap(err)
	}
	return w, nil
}

func (s *Sink[T]) writer(at sinks.Instance) (*writer[T], error) {
	cols, err := columnsOf[T](s.cfg.Key)
	if err != nil {
		return nil, err
	}
	rows, err := rowCodecOf[T]()
	if err != nil {
		return nil, err
	}
	return &writer[T]{sink: s, at: at, columns: cols, codec: rows, to: newPublisher(s.open(cols), s.cfg, at)}, nil
}

// Recover takes the lease, so that attempts before can publish nothing any more, and then publishes what is prepared and not published.
func (s *Sink[T]) Recover(ctx context.Context, at sinks.Instance, prepared []sinks.Prepared) error {
	return s.wrap(s.recover(ctx, at, prepared))
}

func (s *Sink[T]) recover(ctx context.Context, at sinks.Instance, prepared []sinks.Prepared) error {
	w, err := s.writer(at)
	if err != nil {
		return err
	}
	defer w.to.close()
	all, newest := map[string][]publication{}, map[string]flow.Attempt{} // by lineage
	for _, p := range prepared {
		x, err := w.publication(p.Token)
		if err != nil {
			return fmt.Errorf("epoch %d of task %d: %w", p.Epoch, p.Task, err)
		}
		if x.attempt != p.Attempt || x.epoch != p.Epoch || x.task != p.Task {
			return fmt.Errorf("%w: the output of attempt %d, epoch %d, task %d is kept as that of attempt %d, epoch %d, task %d",
				errDamaged, x.attempt, x.epoch, x.task, p.Attempt, p.Epoch, p.Task)
		}
		all[x.lineage], newest[x.lineage] = append(all[x.lineage], x), max(newest[x.lineage], x.attempt)
	}
	fault.Point("postgres/recover")
	last, err := w.to.takeOver(ctx, at.Restored, newest[at.Lineage])
	if err != nil {
		return err
	}
	fault.Point("postgres/lease-taken")
	for _, lineage := range slices.Sorted(maps.Keys(all)) {
		w.to.of.lineage, w.to.branch, w.to.attempt = lineage, lineage != at.Lineage, at.Attempt
		if w.to.branch {
			w.to.attempt = newest[lineage]
		}
		if err := w.to.publish(ctx, all[lineage]); err != nil {
			return err
		}
	}
	for _, x := range all[at.Lineage] {
		if x.count > 0 {
			last[x.task] = max(last[x.task], x.epoch)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered[scope{at.Lineage, at.Operator}] = recovery{at.Attempt, maps.Clone(last)}
	return nil
}

// begins is behind which epoch a task goes on.
func (s *Sink[T]) begins(at sinks.Instance) (flow.Epoch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.recovered[scope{at.Lineage, at.Operator}]
	switch {
	case !ok || r.attempt < at.Attempt:
		return 0, errors.New("prepared before it was recovered")
	case r.attempt > at.Attempt:
		return 0, sinks.ErrFenced
	}
	return r.last[at.Task], nil
}
