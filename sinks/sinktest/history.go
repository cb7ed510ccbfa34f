package sinktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// live is a life at random: epochs of any size, abandoned, recorded, committed at once or late, and a crash between any two calls.
func (l *lineage[T]) live(rng *rand.Rand, tasks int) error {
	l.keeps = rng.IntN(4)
	for range 2 + rng.IntN(4) {
		if rng.IntN(4) == 0 {
			if err := l.do(l.open(1+rng.IntN(tasks)), l.crash); err != nil {
				return err
			}
		}
		if err := l.start(1 + rng.IntN(tasks))(); err != nil {
			return err
		}
		for l.tasks != nil {
			if err := l.any(rng); err != nil {
				return err
			}
		}
	}
	return l.do(l.start(1+rng.IntN(tasks)), l.epoch(3), func() error { return l.shows(l.written)() })
}

// any is an epoch at random. It may end the attempt anywhere.
func (l *lineage[T]) any(rng *rand.Rand) error {
	dies := func() bool { return rng.IntN(12) == 0 }
	end := l.crash
	if rng.IntN(3) == 0 {
		end = l.close
	}
	if err := l.do(l.shows(l.shown), l.write(rng.IntN(6))); err != nil || dies() {
		return errors.Join(err, end())
	}
	if rng.IntN(4) == 0 { // between two writes, what epochs before left to commit
		if err := l.do(l.commit, l.write(rng.IntN(3))); err != nil {
			return err
		}
	}
	if dies() {
		return errors.Join(l.barrier(rng.IntN(len(l.tasks)+1), true), end())
	}
	barrier := l.prepare
	if rng.IntN(3) == 0 {
		barrier = l.hold
	}
	if err := barrier(); err != nil || dies() {
		return errors.Join(err, end())
	}
	if rng.IntN(4) == 0 {
		return l.abandon()
	}
	if err := l.record(); err != nil || dies() {
		return errors.Join(err, end())
	}
	switch {
	case rng.IntN(4) == 0:
		return nil // the commit comes with a later one
	case dies():
		return errors.Join(l.commitSome(rng.IntN(len(l.tasks)+1)), end())
	}
	return l.commit()
}

// crash leaves the attempt as it stands. Its writers live on and know nothing.
func (l *lineage[T]) crash() error {
	l.log.WriteString("crash\n")
	l.zombies = append(l.zombies, l.tasks...)
	l.tasks, l.carried = nil, nil
	return nil
}

// close ends the attempt as a failure does in a process that goes on.
func (l *lineage[T]) close() error {
	l.log.WriteString("close\n")
	for _, t := range l.tasks {
		if err := t.writer.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	l.tasks, l.carried = nil, nil
	return nil
}

// haunt lets the writers of older attempts go on as far as they come. They may fail; their epochs are never complete.
func (l *lineage[T]) haunt() error {
	for _, z := range l.zombies {
		b := &flow.Batch[T]{Records: []flow.Record[T]{{TimeNS: 1, Value: l.value(-2)}}}
		if z.writer.Write(l.t.Context(), b) == nil {
			_, _ = z.commits.Prepare(l.t.Context(), l.newest+1)
		}
	}
	return nil
}

// release closes all writers, so that no goroutine is left.
func (l *lineage[T]) release() {
	for _, t := range append(l.zombies, l.tasks...) {
		if err := t.writer.Close(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, sinks.ErrFenced) {
			l.t.Errorf("close: %v", err)
		}
	}
}

// shows looks whether readers see the first n values and nothing else, each once.
func (l *lineage[T]) shows(n int) step {
	return func() error {
		got := map[T]int{}
		for _, v := range l.seen(l.t, n) {
			got[v]++
		}
		var errs []error
		for i := range n {
			v := l.value(l.first + i)
			if got[v] != 1 {
				errs = append(errs, fmt.Errorf("%v is published %d times, want once", v, got[v]))
			}
			delete(got, v)
		}
		for v := range got {
			errs = append(errs, fmt.Errorf("%v is published, and should not be", v))
		}
		return errors.Join(errs...)
	}
}

// published looks whether readers see what they should by now.
func (l *lineage[T]) published() error { return l.shows(l.shown)() }
