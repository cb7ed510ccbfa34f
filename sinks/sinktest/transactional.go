package sinktest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace/sinks"
)

// TransactionalCase describes a sink that publishes with its epoch (sinks.Transactional). The suite plays the engine: several
// tasks, several attempts, and a crash between any two calls.
type TransactionalCase[T comparable] struct {
	// New makes an empty place to publish to. Each call of sink makes a sink that publishes there, as another process would.
	// seen is all that readers see there, in any order; where what was committed shows a moment later it waits until there are n records.
	New func(t *testing.T) (sink func() sinks.Sink[T], seen func(t *testing.T, n int) []T)
	// Value is the i-th value written; no two are equal.
	Value func(i int) T
	// Tasks is the most tasks of an attempt; default 3. 1 for a sink that has one writer (sinks.Single).
	Tasks int
	// Histories is how many random histories are played; default 30.
	Histories int
}

// RunTransactional runs the suite, each promise as a subtest.
func RunTransactional[T comparable](t *testing.T, c TransactionalCase[T]) {
	if c.Tasks == 0 {
		c.Tasks = 3
	}
	if c.Histories == 0 {
		c.Histories = 30
	}
	for _, p := range c.promises() {
		t.Run(p.name, func(t *testing.T) {
			l := c.lineage(t, "lineage")
			defer l.release()
			if err := p.keep(l); err != nil {
				t.Fatalf("%v\n%s", err, l.log.String())
			}
		})
	}
	t.Run("any history", func(t *testing.T) {
		for range c.Histories {
			if err := c.history(t, rand.Uint64()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// promise is a history that a person chose, because it breaks sinks that are nearly right.
type promise[T comparable] struct {
	name string
	keep func(l *lineage[T]) error
}

// promises are the chosen histories.
func (c TransactionalCase[T]) promises() []promise[T] {
	return append(publishing[T](c.Tasks), resuming[T](c.Tasks)...)
}

// publishing are histories of what is published and when. most is the number of tasks that all of them may have.
func publishing[T comparable](most int) []promise[T] {
	return []promise[T]{
		{"publishes with the commit, not before", func(l *lineage[T]) error {
			return l.do(l.start(1), l.write(5), l.shows(0), l.prepare, l.shows(0), l.record, l.shows(0), l.commit, l.shows(5),
				l.write(5), l.flush, l.shows(5), l.prepare, l.shows(5), l.record, l.commit, l.shows(10))
		}},
		{"epochs with nothing in them", func(l *lineage[T]) error {
			return l.do(l.start(most), l.epoch(0), l.write(1), l.epoch(0), l.shows(1), l.epoch(0), l.epoch(0), l.shows(1), l.crash, l.start(1), l.shows(1), l.epoch(3))
		}},
		{"publishes what is in the record after a crash", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(7), l.prepare, l.record, l.crash, l.start(most), l.shows(7), l.epoch(4), l.shows(11))
		}},
		{"publishes it after an orderly close too", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(7), l.prepare, l.record, l.close, l.start(most), l.shows(7), l.epoch(4), l.shows(11))
		}},
		{"gives up what is in no record", func(l *lineage[T]) error {
			return l.do(l.start(most), l.epoch(2), l.write(7), l.prepare, l.crash, l.start(most), l.shows(2), l.write(5), l.crash, l.start(1), l.shows(2), l.epoch(3), l.shows(5))
		}},
		{"publishes once what was committed and stands in the record still", func(l *lineage[T]) error {
			return l.do(l.start(most), l.epoch(4), l.crash, l.start(most), l.shows(4), l.crash, l.start(most), l.shows(4))
		}},
		{"keeps later epochs from older tokens", func(l *lineage[T]) error {
			l.keeps = 9 // more than a sink has names to use in turn
			return l.do(l.start(most), l.epoch(most), l.epoch(most), l.epoch(most), l.epoch(most), l.epoch(most), l.write(most), l.prepare,
				l.crash, l.start(most), l.shows(5*most), l.epoch(most), l.shows(6*most))
		}},
		{"commits abandoned epochs with the next", func(l *lineage[T]) error {
			return l.do(l.start(most), l.epoch(1), l.write(3), l.prepare, l.abandon, l.write(3), l.prepare, l.abandon, l.write(3), l.prepare, l.abandon, l.shows(1),
				l.write(1), l.prepare, l.record, l.shows(1), l.commit, l.shows(11))
		}},
		{"publishes abandoned epochs after a crash", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(3), l.prepare, l.abandon, l.write(3), l.prepare, l.abandon, l.write(3), l.prepare, l.record,
				l.crash, l.start(1), l.shows(9), l.epoch(2), l.shows(11))
		}},
		{"writes on while a commit waits", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(4), l.prepare, l.record, l.write(5), l.commit, l.shows(4), l.prepare, l.record, l.commit, l.shows(9))
		}},
		{"commits while it writes and prepares", func(l *lineage[T]) error {
			busy := l.meanwhile(l.write(2*most), l.prepare)
			return l.do(l.start(most), l.write(4), l.prepare, l.record, busy, l.record, busy, l.record, busy, l.shows(4+4*most), l.record, l.commit, l.shows(4+6*most))
		}},
	}
}

// resuming are histories of attempts that follow another, of batches that go on, and of what is not the sink's.
func resuming[T comparable](most int) []promise[T] {
	return []promise[T]{
		{"with fewer tasks than before", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(2*most), l.prepare, l.record, l.crash, l.start(1), l.shows(2*most),
				l.crash, l.start(most), l.epoch(most), l.write(most), l.prepare, l.crash, l.start(1), l.shows(3*most), l.epoch(2), l.shows(3*most+2))
		}},
		{"with more tasks than before", func(l *lineage[T]) error {
			return l.do(l.start(1), l.write(4), l.prepare, l.record, l.crash, l.start(most), l.shows(4), l.epoch(2*most), l.shows(4+2*most))
		}},
		{"recovers again and again", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(5), l.prepare, l.record, l.crash, l.open(most), l.crash, l.start(most), l.crash, l.start(1), l.crash,
				l.open(most), l.crash, l.start(most), l.shows(5), l.epoch(3), l.shows(8))
		}},
		{"a writer that was overtaken publishes nothing", func(l *lineage[T]) error {
			return l.do(l.start(most), l.epoch(most), l.write(2*most), l.prepare, l.write(2*most), l.crash, l.start(most), l.haunt, l.shows(most),
				l.epoch(most), l.haunt, l.shows(2*most))
		}},
		{"publishes with the batch", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(4), l.hold, l.record, l.commit, l.write(2), l.hold, l.record, l.commit, l.published,
				l.write(3), l.prepare, l.record, l.commit, l.shows(9), l.hold, l.record, l.commit, l.shows(9))
		}},
		{"keeps what ends no batch while epochs with nothing in them go by", func(l *lineage[T]) error {
			l.keeps = 0
			return l.do(l.start(most), l.epoch(1), l.write(4), l.hold, l.record, l.commit, l.hold, l.record, l.commit, l.hold, l.record, l.commit,
				l.hold, l.record, l.commit, l.published, l.crash, l.start(1), l.shows(5), l.epoch(2), l.shows(7))
		}},
		{"a writer that was overtaken adds nothing to what ended no batch", func(l *lineage[T]) error {
			return l.do(l.start(most), l.write(2*most), l.hold, l.record, l.write(most), l.crash, l.start(most), l.haunt, l.shows(2*most), l.haunt, l.shows(2*most))
		}},
		{"a token that is damaged is an error", refusesDamage},
		{"leaves other lineages alone", func(l *lineage[T]) error { return leavesOthersAlone(l, most) }},
	}
}

// refusesDamage cuts a token short and flips its first byte, which says how the rest is to be read.
func refusesDamage[T comparable](l *lineage[T]) error {
	if err := l.do(l.start(1), l.write(3), l.prepare, l.record, l.crash); err != nil {
		return err
	}
	whole := l.recorded[0].Token
	damaged := [][]byte{{}, append([]byte{^whole[0]}, whole[1:]...)}
	for n := 1; n < len(whole); n += max(1, len(whole)/8) {
		damaged = append(damaged, whole[:n])
	}
	for _, token := range damaged {
		l.recorded[0].Token = token
		if err := l.start(1)(); err == nil {
			return fmt.Errorf("recovered from token % x instead of % x", token, whole)
		}
		if err := l.do(l.crash, l.shows(0)); err != nil {
			return fmt.Errorf("token % x: %w", token, err)
		}
	}
	l.recorded[0].Token = whole
	return l.do(l.start(1), l.shows(3))
}

// leavesOthersAlone: two lineages share the place.
func leavesOthersAlone[T comparable](a *lineage[T], most int) error {
	b := a.beside("lineage-2", 1000)
	defer b.release()
	err := a.do(a.start(most), a.write(6), a.prepare, a.record, b.start(most), b.write(4), b.prepare, a.crash, a.start(1), a.write(2), a.prepare,
		b.record, b.crash, b.start(1), a.record, a.commit)
	if n := len(a.seen(a.t, 12)); err == nil && n != 12 {
		return fmt.Errorf("%d records are published, want %d: 8 of one lineage, 4 of another", n, 12)
	}
	return err
}

// history plays what seed makes of a job's life, and says the seed when the sink does not keep its promise.
func (c TransactionalCase[T]) history(t *testing.T, seed uint64) error {
	l := c.lineage(t, "lineage")
	defer l.release()
	if err := l.live(rand.New(rand.NewPCG(seed, 0)), c.Tasks); err != nil {
		return fmt.Errorf("seed %d: %w\n%s", seed, err, l.log.String())
	}
	return nil
}
