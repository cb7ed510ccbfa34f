package sinktest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// lineage plays the engine with one operator: what its records hold, and the attempt that runs. Its methods are the steps of a
// history, each a call or a round of calls that a crash may follow.
type lineage[T comparable] struct {
	t     *testing.T
	name  string
	value func(i int) T
	sink  func() sinks.Sink[T]
	seen  func(t *testing.T, n int) []T
	first int // number of its first value
	keeps int // for how many epochs a committed token stays in the records
	log   strings.Builder

	// What survives a crash: the record of the newest complete epoch.
	recorded []sinks.Prepared
	records  int // how many values are in it and in those before
	complete flow.Epoch

	// The attempt.
	attempt flow.Attempt
	current sinks.Sink[T]
	tasks   []*task[T]
	newest  flow.Epoch // numbers of epochs that were never complete are used again after a crash
	written int        // values, those before the attempt included
	ended   int        // values prepared by the newest barrier at which the sink is to publish
	due     int        // those of them that a record has: the next commit publishes them
	shown   int        // values that must be published
	carried []sinks.Prepared
	round   int

	zombies []*task[T] // writers of older attempts, closed when the test ends
}

// task is a writer with the tokens that it has to commit.
type task[T comparable] struct {
	writer  sinks.Writer[T]
	commits sinks.Committer
	due     [][]byte // tokens to be committed
}

type step = func() error

func (c TransactionalCase[T]) lineage(t *testing.T, name string) *lineage[T] {
	sink, seen := c.New(t)
	return &lineage[T]{t: t, name: name, value: c.Value, sink: sink, seen: seen, keeps: 1}
}

// beside is another lineage that publishes to the same place, values from first on.
func (l *lineage[T]) beside(name string, first int) *lineage[T] {
	return &lineage[T]{t: l.t, name: name, value: l.value, sink: l.sink, seen: l.seen, first: first, keeps: 1}
}

func (l *lineage[T]) do(steps ...step) error {
	for i, s := range steps {
		if err := s(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (l *lineage[T]) at(i, tasks int) sinks.Instance {
	at := At(i, tasks, l.attempt)
	at.Lineage, at.Mode, at.Resumes = l.name, sinks.Append, true
	return at
}

// open opens the writers of a new attempt.
func (l *lineage[T]) open(tasks int) step {
	return func() error {
		l.attempt++
		fmt.Fprintf(&l.log, "attempt %d of %d tasks\n", l.attempt, tasks)
		l.current, l.newest = l.sink(), l.complete
		if check, ok := l.current.(sinks.Checker); ok {
			if err := check.Check(l.t.Context()); err != nil {
				return fmt.Errorf("check: %w", err)
			}
		}
		if s, ok := l.current.(sinks.Transactional); !ok || s.Commits() == sinks.AtOnce {
			return fmt.Errorf("%T is no sinks.Transactional that publishes later", l.current)
		}
		for i := range tasks {
			w, err := l.current.Open(l.t.Context(), l.at(i, tasks))
			if err != nil {
				return fmt.Errorf("open: %w", err)
			}
			c, ok := w.(sinks.Committer)
			if !ok {
				return fmt.Errorf("%T is no sinks.Committer", w)
			}
			if _, inline := w.(sinks.Inline); inline {
				return fmt.Errorf("%T is Inline", w)
			}
			l.tasks = append(l.tasks, &task[T]{writer: w, commits: c})
		}
		return nil
	}
}

// start opens an attempt and recovers: then what is in the record is published, and nothing else.
func (l *lineage[T]) start(tasks int) step {
	return func() error {
		if err := l.open(tasks)(); err != nil {
			return err
		}
		fmt.Fprintf(&l.log, "recover %d tokens\n", len(l.recorded))
		at := l.at(0, tasks)
		at.Restored = l.complete
		if err := l.current.(sinks.Transactional).Recover(l.t.Context(), at, slices.Clone(l.recorded)); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
		l.written, l.ended, l.due, l.shown = l.records, l.records, l.records, l.records
		return nil
	}
}

// write writes n values, one to each task in turn.
func (l *lineage[T]) write(n int) step {
	return func() error {
		fmt.Fprintf(&l.log, "write %d\n", n)
		for range n {
			b := &flow.Batch[T]{Records: []flow.Record[T]{{TimeNS: int64(l.written) + 1, Value: l.value(l.first + l.written)}}}
			if err := l.next().writer.Write(l.t.Context(), b); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			b.Records[0].Value = l.value(-1) // it was the writer's during the call only
			l.written++
		}
		return nil
	}
}

func (l *lineage[T]) next() *task[T] {
	l.round++
	return l.tasks[l.round%len(l.tasks)]
}

func (l *lineage[T]) flush() error {
	for _, t := range l.tasks {
		if err := t.writer.Flush(l.t.Context()); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
	}
	return nil
}

// prepare is a barrier that reaches all tasks. It ends a batch.
func (l *lineage[T]) prepare() error { return l.barrier(len(l.tasks), true) }

// hold is a barrier that ends no batch: a sink that publishes with batches only makes its output resumable.
func (l *lineage[T]) hold() error { return l.barrier(len(l.tasks), false) }

// perBatch says that the sink publishes with batches.
func (l *lineage[T]) perBatch() bool {
	return l.current.(sinks.Transactional).Commits() == sinks.PerBatch
}

// barrier reaches the first n tasks.
func (l *lineage[T]) barrier(n int, ends bool) error {
	l.newest++
	fmt.Fprintf(&l.log, "prepare epoch %d, %d tasks, ends a batch: %v\n", l.newest, n, ends)
	if ends || !l.perBatch() {
		l.ended = l.written
	}
	for i, t := range l.tasks[:n] {
		if b, ok := t.writer.(sinks.Batcher); ok && ends {
			if err := b.EndBatch(l.t.Context(), int64(l.newest)); err != nil {
				return fmt.Errorf("end batch %d: %w", l.newest, err)
			}
		}
		token, err := t.commits.Prepare(l.t.Context(), l.newest)
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		if token == nil {
			continue
		}
		l.carried = append(l.carried, sinks.Prepared{Attempt: l.attempt, Epoch: l.newest, Task: i, Token: token})
		t.due = append(t.due, token)
	}
	return nil
}

// abandon gives up the epoch without a restore: what it prepared goes with the next.
func (l *lineage[T]) abandon() error {
	fmt.Fprintf(&l.log, "abandon epoch %d\n", l.newest)
	return nil
}

// record completes the epoch. Tokens of epochs before stay in it for as long as keeps says.
func (l *lineage[T]) record() error {
	fmt.Fprintf(&l.log, "record epoch %d\n", l.newest)
	l.recorded = slices.DeleteFunc(l.recorded, func(p sinks.Prepared) bool { return l.committed(p) && int(l.newest-p.Epoch) > l.keeps })
	l.recorded = append(l.recorded, l.carried...)
	l.carried = nil
	l.records, l.complete, l.due = l.written, l.newest, l.ended
	return nil
}

// committed says that no task has still to commit p.
func (l *lineage[T]) committed(p sinks.Prepared) bool {
	return !slices.ContainsFunc(l.tasks, func(t *task[T]) bool { return contains(t.due, p.Token) })
}

func contains(tokens [][]byte, token []byte) bool {
	return slices.ContainsFunc(tokens, func(t []byte) bool { return bytes.Equal(t, token) })
}

// commit commits all that is in the record.
func (l *lineage[T]) commit() error { return l.commitSome(len(l.tasks)) }

func (l *lineage[T]) commitSome(n int) error {
	fmt.Fprintf(&l.log, "commit epoch %d, %d tasks\n", l.newest, n)
	for _, t := range l.tasks[:n] {
		if err := l.commitOf(t, l.take(t)); err != nil {
			return err
		}
	}
	if n == len(l.tasks) {
		l.shown = l.due
	}
	return nil
}

// take takes the tokens of a task that are in the record.
func (l *lineage[T]) take(t *task[T]) (now [][]byte) {
	var later [][]byte
	for _, token := range t.due {
		if slices.ContainsFunc(l.recorded, func(p sinks.Prepared) bool { return bytes.Equal(p.Token, token) }) {
			now = append(now, token)
		} else {
			later = append(later, token)
		}
	}
	t.due = later
	return now
}

func (l *lineage[T]) commitOf(t *task[T], tokens [][]byte) error {
	if len(tokens) == 0 {
		return nil
	}
	if err := t.commits.Commit(l.t.Context(), tokens); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// meanwhile commits all that is in the record while the steps are done, each task in a goroutine of its own.
func (l *lineage[T]) meanwhile(steps ...step) step {
	return func() error {
		fmt.Fprintf(&l.log, "commit epoch %d, meanwhile\n", l.newest)
		commits := make(chan error, len(l.tasks))
		due := l.due
		for _, t := range l.tasks {
			tokens := l.take(t)
			go func() { commits <- l.commitOf(t, tokens) }()
		}
		err := l.do(steps...)
		for range cap(commits) {
			err = errors.Join(err, <-commits)
		}
		l.shown = due
		return err
	}
}

// epoch is one that goes well, with n values.
func (l *lineage[T]) epoch(n int) step {
	return func() error { return l.do(l.write(n), l.prepare, l.record, l.commit) }
}
