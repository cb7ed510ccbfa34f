package postgressink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// item is the row of these tests.
type item struct {
	ID   int64
	Text string
}

func itemOf(i int) item { return item{int64(i), fmt.Sprint("text ", i)} }

// fakeDB is the tables in memory. Its transactions do not run at the same time; what a server does with those is for the tests against one.
type fakeDB struct {
	mu     sync.Mutex
	leases map[scope]flow.Attempt
	epochs map[scope]map[taskEpoch]flow.Attempt
	rows   []item
	keyed  bool // rows replace each other by ID
	// fault is asked before and after each step: begin, write, claim and settle. After write and settle all is committed, and the answer is lost.
	fault func(step string) error
	begun int
}

func newFakeDB() *fakeDB {
	return &fakeDB{leases: map[scope]flow.Attempt{}, epochs: map[scope]map[taskEpoch]flow.Attempt{}, fault: func(string) error { return nil }}
}

// table is a sink to the fake.
func (db *fakeDB) table(cfg Config) *Sink[item] {
	if cfg.Table == "" {
		cfg.Table = "items"
	}
	cfg.RetryFor, cfg.pause = time.Second, time.Microsecond
	s := Table[item](cfg)
	s.open = func(columns) func(context.Context) (session, error) {
		return func(context.Context) (session, error) { return &fakeSession{db: db}, db.fault("connect") }
	}
	return s
}

// fakeTable has no server to ask for its columns.
type fakeTable struct{ *Sink[item] }

func (fakeTable) Check(context.Context) error { return nil }

type fakeSession struct {
	db     *fakeDB
	closed bool
	begun  bool
}

func (s *fakeSession) close() { s.closed = true }

// step does f between two faults.
func (s *fakeSession) step(name string, f func()) error {
	if s.closed {
		return errors.New("used after it was closed, or after an error")
	}
	if err := s.db.fault("before " + name); err != nil {
		s.closed = true
		return err
	}
	s.db.mu.Lock()
	f()
	s.db.mu.Unlock()
	err := s.db.fault("after " + name)
	s.closed = err != nil
	return err
}

func (s *fakeSession) standing(of scope, asked []taskEpoch) standing {
	st := standing{lease: s.db.leases[of], last: map[int]flow.Epoch{}, oldest: map[int]flow.Epoch{}, attempts: map[taskEpoch]flow.Attempt{}}
	for at := range s.db.epochs[of] {
		st.last[at.task] = max(st.last[at.task], at.epoch)
		if o, ok := st.oldest[at.task]; !ok || at.epoch < o {
			st.oldest[at.task] = at.epoch
		}
	}
	for _, a := range asked {
		if by, ok := s.db.epochs[of][a]; ok {
			st.attempts[a] = by
		}
	}
	return st
}

func (s *fakeSession) begin(_ context.Context, of scope, asked []taskEpoch) (st standing, err error) {
	err = s.step("begin", func() {
		st, s.begun = s.standing(of, asked), true
		s.db.begun++
	})
	return st, err
}

func (s *fakeSession) write(_ context.Context, of scope, all []publication) error {
	return s.step("write", func() {
		if !s.begun {
			panic("write outside of a transaction")
		}
		s.begun = false
		of2 := maps.Clone(s.db.epochs[of])
		if of2 == nil {
			of2 = map[taskEpoch]flow.Attempt{}
		}
		for _, x := range all {
			if _, twice := of2[taskEpoch{x.task, x.epoch}]; twice {
				panic(fmt.Sprintf("epoch %d of task %d is published twice", x.epoch, x.task))
			}
			of2[taskEpoch{x.task, x.epoch}] = x.attempt
			s.db.apply(x.changes)
		}
		s.db.epochs[of] = of2
	})
}

func (db *fakeDB) apply(c changes) {
	if c.deleted > 0 {
		for _, id := range c.deletes[0].([]int64) {
			db.remove(id)
		}
	}
	if c.written > 0 {
		ids, texts := c.rows[0].([]int64), c.rows[1].([]string)
		for i := range ids {
			if db.keyed {
				db.remove(ids[i])
			}
			db.rows = append(db.rows, item{ids[i], texts[i]})
		}
	}
}

func (db *fakeDB) remove(id int64) {
	kept := db.rows[:0]
	for _, r := range db.rows {
		if r.ID != id {
			kept = append(kept, r)
		}
	}
	db.rows = kept
}

func (s *fakeSession) leave(context.Context) error {
	return s.step("leave", func() { s.begun = false })
}

func (s *fakeSession) claim(_ context.Context, of scope) (st standing, err error) {
	err = s.step("claim", func() { st, s.begun = s.standing(of, nil), true })
	return st, err
}

func (s *fakeSession) settle(_ context.Context, of scope, to flow.Attempt) error {
	return s.step("settle", func() { s.db.leases[of], s.begun = to, false })
}

var _ sinks.Transactional = (*Sink[item])(nil)
