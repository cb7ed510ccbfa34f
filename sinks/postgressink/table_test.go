package postgressink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// transactional is the suite on a fake that fails some steps.
func transactional(fault func() func(string) error) sinktest.TransactionalCase[item] {
	return sinktest.TransactionalCase[item]{
		New: func(*testing.T) (func() sinks.Sink[item], func(*testing.T, int) []item) {
			db := newFakeDB()
			db.fault = fault()
			return func() sinks.Sink[item] { return fakeTable{db.table(Config{})} }, func(*testing.T, int) []item { return slices.Clone(db.rows) }
		},
		Value: itemOf,
	}
}

func TestTable(t *testing.T) {
	sinktest.RunTransactional(t, transactional(func() func(string) error { return func(string) error { return nil } }))
}

// The same holds when connections end anywhere, also when a transaction was committed and nobody heard of it.
func TestTableWithFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	places := uint64(0)
	sinktest.RunTransactional(t, transactional(func() func(string) error {
		places++
		rng := rand.New(rand.NewPCG(seed, places))
		return func(step string) error {
			if rng.IntN(12) > 0 {
				return nil
			}
			return fmt.Errorf("%w: %s", errLost, step)
		}
	}))
}

// played is a sink of one task on a fake, at its n-th attempt.
type played struct {
	*writer[item]
	sink *Sink[item]
	at   sinks.Instance
}

func play(t *testing.T, db *fakeDB, cfg Config, attempt flow.Attempt, restored flow.Epoch, prepared ...sinks.Prepared) (*played, error) {
	t.Helper()
	p := &played{sink: db.table(cfg), at: sinktest.At(0, 1, attempt)}
	p.at.Restored = restored
	w, err := p.sink.Open(t.Context(), p.at)
	if err != nil {
		t.Fatal(err)
	}
	p.writer = w.(*writer[item])
	t.Cleanup(func() { _ = p.Close() })
	return p, p.sink.Recover(t.Context(), p.at, prepared)
}

// epoch writes n rows from a number on and prepares them.
func (p *played) epoch(t *testing.T, e flow.Epoch, from, n int) sinks.Prepared {
	t.Helper()
	b := &flow.Batch[item]{}
	for i := range n {
		b.Records = append(b.Records, flow.Record[item]{Value: itemOf(from + i)})
	}
	if err := p.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	token, err := p.Prepare(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return sinks.Prepared{Attempt: p.at.Attempt, Epoch: e, Task: 0, Token: token}
}

func (p *played) commit(t *testing.T, all ...sinks.Prepared) error {
	t.Helper()
	var tokens [][]byte
	for _, x := range all {
		tokens = append(tokens, x.Token)
	}
	return p.Commit(t.Context(), tokens)
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

// What the database has lost is missed: by an epoch that comes behind a lost one, by one without rows, by what the record holds, and by the lease.
func TestLossIsNoticed(t *testing.T) {
	of := scope{"lineage", "sink"}
	start := func(t *testing.T) (*fakeDB, *played) {
		db := newFakeDB()
		p, err := play(t, db, Config{}, 1, 0)
		fine(t, err)
		fine(t, p.commit(t, p.epoch(t, 3, 0, 2)))
		fine(t, p.commit(t, p.epoch(t, 5, 2, 2)))
		return db, p
	}
	t.Run("while it runs", func(t *testing.T) {
		db, p := start(t)
		delete(db.epochs[of], taskEpoch{0, 5})
		wantError(t, p.commit(t, p.epoch(t, 6, 4, 1)), "epoch 6 of task 0 comes behind epoch 5, and the newest in the table is 3", "has lost")
	})
	t.Run("by what is in the record", func(t *testing.T) {
		db, p := start(t)
		next := p.epoch(t, 6, 4, 1)
		delete(db.epochs[of], taskEpoch{0, 5})
		_, err := play(t, db, Config{}, 2, 6, next)
		wantError(t, err, "epoch 6 of task 0 comes behind epoch 5, and the newest in the table is 3")
	})
	t.Run("by an epoch without rows", func(t *testing.T) {
		db, p := start(t)
		next := p.epoch(t, 9, 0, 0)
		delete(db.epochs[of], taskEpoch{0, 5})
		_, err := play(t, db, Config{}, 2, 9, next)
		wantError(t, err, "epoch 9 of task 0 comes behind epoch 5, and the newest in the table is 3")
	})
	t.Run("and mended where the record holds it still", func(t *testing.T) {
		db := newFakeDB()
		p, err := play(t, db, Config{}, 1, 0)
		fine(t, err)
		first, second := p.epoch(t, 3, 0, 2), p.epoch(t, 5, 2, 2)
		fine(t, p.commit(t, first, second))
		delete(db.epochs[of], taskEpoch{0, 5})
		db.rows = db.rows[:2]
		_, err = play(t, db, Config{}, 2, 6, first, second)
		fine(t, err)
		if len(db.rows) != 4 {
			t.Errorf("%d rows, want 4", len(db.rows))
		}
	})
	t.Run("by the lease", func(t *testing.T) {
		db, p := start(t)
		db.leases[of] = 0
		wantError(t, p.commit(t, p.epoch(t, 6, 4, 1)), "is attempt 0's, and attempt 1 had taken it", "has lost")
	})
	t.Run("all of it", func(t *testing.T) {
		_, p := start(t)
		_, err := play(t, newFakeDB(), Config{}, 2, 6, p.epoch(t, 6, 4, 1))
		wantError(t, err, "the checkpoint holds output of attempt 1", "is attempt 0", "has lost")
	})
}

// An older checkpoint would publish its epochs again under the numbers of others.
func TestAnOlderCheckpointIsRefused(t *testing.T) {
	db := newFakeDB()
	p, err := play(t, db, Config{}, 1, 0)
	fine(t, err)
	var all []sinks.Prepared
	for e := flow.Epoch(1); e <= 4; e++ {
		all = append(all, p.epoch(t, e, int(e), 1))
		fine(t, p.commit(t, all[e-1]))
	}
	_, err = play(t, db, Config{}, 2, 2, all[1])
	wantError(t, err, "the table has epoch 4 of task 0, and the job starts from epoch 2", "empty state directory")
	q, err := play(t, db, Config{}, 3, 0) // it does not know from which
	fine(t, err)
	_, err = q.Prepare(t.Context(), 3)
	wantError(t, err, "epoch 3 of task 0 is to be published, and the table has epoch 4")
	if len(db.rows) != 4 {
		t.Errorf("%d rows, want the 4 that were there", len(db.rows))
	}
}

// Tokens that were published by another attempt under the same number are not taken for published.
func TestAnotherHistoryIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		x    publication
		want string
	}{
		"another attempt": {publication{token: token{attempt: 2, epoch: 4, previous: 3, count: 1}}, "epoch 4 of task 0 was published by attempt 1 and is not to be replaced by that of attempt 2"},
		"a hole":          {publication{token: token{attempt: 1, epoch: 5, previous: 4, count: 1}}, "epoch 5 of task 0 comes behind epoch 4, and the newest in the table is 9 already"},
	} {
		st := standing{last: map[int]flow.Epoch{0: 9}, oldest: map[int]flow.Epoch{0: 4}, attempts: map[taskEpoch]flow.Attempt{{0, 4}: 1}}
		_, err := st.due([]publication{c.x})
		t.Run(name, func(t *testing.T) { wantError(t, err, c.want, "older checkpoint") })
	}
	st := standing{last: map[int]flow.Epoch{0: 9}, oldest: map[int]flow.Epoch{0: 4}, attempts: map[taskEpoch]flow.Attempt{}}
	due, err := st.due([]publication{{token: token{attempt: 1, epoch: 2, previous: 1, count: 1}}})
	if len(due) != 0 || err != nil {
		t.Errorf("an epoch from before the oldest row: %d due, error %v; want it taken for published", len(due), err)
	}
}

// A lineage that begins from a savepoint gets tokens of another, which may publish them too, before or after: they are published once, and
// the two do not stand in each other's way.
func TestABranchPublishesOnce(t *testing.T) {
	for _, first := range []string{"branch", "origin"} {
		t.Run(first, func(t *testing.T) {
			db := newFakeDB()
			p, err := play(t, db, Config{}, 3, 0)
			fine(t, err)
			fine(t, p.commit(t, p.epoch(t, 1, 0, 2)))
			saved := p.epoch(t, 2, 2, 3)
			if first == "origin" {
				fine(t, p.commit(t, saved))
				fine(t, p.commit(t, p.epoch(t, 3, 100, 1)))
			}
			at := sinktest.At(0, 1, 1)
			at.Lineage, at.Restored = "branch", 2
			s := db.table(Config{})
			fine(t, s.Recover(t.Context(), at, []sinks.Prepared{saved}))
			w, err := s.Open(t.Context(), at)
			fine(t, err)
			b := &played{writer: w.(*writer[item]), sink: s, at: at}
			own := b.epoch(t, 3, 5, 1)
			fine(t, b.commit(t, own))
			if first == "branch" {
				fine(t, p.commit(t, saved))
				fine(t, p.commit(t, p.epoch(t, 3, 100, 1)))
			}
			at.Attempt, at.Restored = 2, 3
			fine(t, s.Recover(t.Context(), at, []sinks.Prepared{saved, own}))
			if len(db.rows) != 7 {
				t.Errorf("%d rows, want 5 of the savepoint and one of each lineage: %v", len(db.rows), db.rows)
			}
		})
	}
	db := newFakeDB()
	p, err := play(t, db, Config{}, 3, 0)
	fine(t, err)
	saved := p.epoch(t, 2, 2, 3)
	at := sinktest.At(0, 1, 1)
	at.Lineage = "branch"
	wantError(t, newFakeDB().table(Config{}).Recover(t.Context(), at, []sinks.Prepared{saved}), `the lease of lineage "lineage"`, "has lost")
}

// A token is kept under its attempt, epoch and task; under others it is damage.
func TestMistakenTokensAreRefused(t *testing.T) {
	db := newFakeDB()
	p, err := play(t, db, Config{}, 1, 0)
	fine(t, err)
	right := p.epoch(t, 4, 0, 1)
	for _, wrong := range []sinks.Prepared{{Attempt: 2, Epoch: 4}, {Attempt: 1, Epoch: 3}, {Attempt: 1, Epoch: 4, Task: 1}} {
		wrong.Token = right.Token
		_, err := play(t, db, Config{}, 3, 4, wrong)
		wantError(t, err, "the output of attempt 1, epoch 4, task 0 is kept as that of attempt", "damaged")
	}
	if len(db.rows) > 0 {
		t.Errorf("%d rows are published, want none", len(db.rows))
	}
}

func TestAnOvertakenAttemptIsFenced(t *testing.T) {
	db := newFakeDB()
	old, err := play(t, db, Config{}, 1, 0)
	fine(t, err)
	prepared := old.epoch(t, 1, 0, 3)
	_, err = play(t, db, Config{}, 2, 0)
	fine(t, err)
	if err := old.commit(t, prepared); !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("commit: error %v, want ErrFenced", err)
	}
	if err := old.sink.Recover(t.Context(), old.at, nil); !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("recover: error %v, want ErrFenced", err)
	}
	if len(db.rows) > 0 {
		t.Errorf("%d rows are published, want none", len(db.rows))
	}
}

// What is not passing is not tried again, and its message reaches the user; what passes is tried until RetryFor.
func TestWhatIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		err   error
		tries int
	}{
		{&pgconn.PgError{Code: "23514", Message: "violates check constraint"}, 1},
		{&pgconn.PgError{Code: "42P01", Message: "relation does not exist"}, 1},
		{&pgconn.PgError{Code: "28P01", Message: "password authentication failed"}, 1},
		{&pgconn.PgError{Code: "23505", Message: "duplicate key", TableName: "items"}, 1},
		{errors.New("cannot encode"), 1},
		{&pgconn.PgError{Code: "23505", Message: "duplicate key", TableName: epochsTable}, 3},
		{&pgconn.PgError{Code: "40001", Message: "serialize"}, 3},
		{&pgconn.PgError{Code: "40P01", Message: "deadlock"}, 3},
		{&pgconn.PgError{Code: "53100", Message: "disk full"}, 3},
		{&pgconn.PgError{Code: "53300", Message: "too many connections"}, 3},
		{&pgconn.PgError{Code: "57P01", Message: "terminating connection"}, 3},
		{&pgconn.PgError{Code: "25006", Message: "read-only transaction"}, 3},
		{fmt.Errorf("%w: reset", errLost), 3},
	} {
		db := newFakeDB()
		p, err := play(t, db, Config{}, 1, 0)
		fine(t, err)
		prepared, tries := p.epoch(t, 1, 0, 3), 0
		db.fault = func(step string) error {
			if step != "before write" {
				return nil
			}
			if tries++; tries == 3 {
				return nil
			}
			return c.err
		}
		err = p.commit(t, prepared)
		if tries != c.tries {
			t.Errorf("%v: tried %d times, want %d", c.err, tries, c.tries)
		}
		if c.tries == 1 && !errors.Is(err, c.err) || c.tries > 1 && err != nil {
			t.Errorf("%v: error %v", c.err, err)
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	db := newFakeDB()
	p, err := play(t, db, Config{}, 1, 0)
	fine(t, err)
	prepared := p.epoch(t, 1, 0, 1)
	db.fault = func(string) error { return errLost }
	p.to.cfg.RetryFor = 50 * time.Millisecond
	wantError(t, p.commit(t, prepared), "tried again for 50ms", "connection lost")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Commit(ctx, [][]byte{prepared.Token}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestLargeEpochsAreRefused(t *testing.T) {
	db := newFakeDB()
	p, err := play(t, db, Config{EpochBytesMax: 100}, 1, 0)
	fine(t, err)
	b := &flow.Batch[item]{}
	for i := range 20 {
		b.Records = append(b.Records, flow.Record[item]{Value: itemOf(i)})
	}
	wantError(t, p.Write(t.Context(), b), `postgres table "items": the epoch has`, "in more than 100 bytes", "CommitEvery", "EpochBytesMax")
}

// Commits of epochs that wrote nothing ask nothing of the database.
func TestNothingCostsNothing(t *testing.T) {
	db := newFakeDB()
	p, err := play(t, db, Config{}, 1, 0)
	fine(t, err)
	if first := p.epoch(t, 1, 0, 0); first.Token != nil {
		t.Error("a token before there was a row")
	}
	fine(t, p.commit(t, p.epoch(t, 2, 0, 1)))
	n := db.begun
	for e := flow.Epoch(3); e < 10; e++ {
		fine(t, p.commit(t, p.epoch(t, e, 0, 0)))
	}
	if db.begun != n {
		t.Errorf("%d transactions for epochs without rows", db.begun-n)
	}
}

// Of an epoch, a key's last change is left; without a key all rows are.
func TestChangesOfAKey(t *testing.T) {
	db := newFakeDB()
	db.keyed = true
	p, err := play(t, db, Config{Key: []string{"id"}}, 1, 0)
	fine(t, err)
	write := func(kind flow.Kind, id int64, text string) {
		b := &flow.Batch[item]{Records: []flow.Record[item]{{Value: item{id, text}}}, Kinds: []flow.Kind{kind}}
		fine(t, p.Write(t.Context(), b))
	}
	commit := func(e flow.Epoch) {
		token, err := p.Prepare(t.Context(), e)
		fine(t, err)
		fine(t, p.Commit(t.Context(), [][]byte{token}))
	}
	write(flow.Insert, 1, "a")
	write(flow.Insert, 2, "b")
	write(flow.Insert, 3, "c")
	write(flow.Delete, 3, "c")
	write(flow.Insert, 1, "a again")
	commit(1)
	if want := []item{{1, "a again"}, {2, "b"}}; !slices.Equal(db.rows, want) {
		t.Errorf("rows %v, want %v", db.rows, want)
	}
	write(flow.Delete, 2, "b")
	write(flow.Insert, 2, "b lives")
	write(flow.UpdateBefore, 1, "a again")
	write(flow.UpdateAfter, 4, "moved")
	commit(2)
	if want := []item{{2, "b lives"}, {4, "moved"}}; !slices.Equal(db.rows, want) {
		t.Errorf("rows %v, want %v", db.rows, want)
	}
	plain, err := play(t, newFakeDB(), Config{}, 1, 0)
	fine(t, err)
	b := &flow.Batch[item]{Records: []flow.Record[item]{{}}, Kinds: []flow.Kind{flow.Delete}}
	wantError(t, plain.Write(t.Context(), b), `record of kind "delete" in a table without a key`, "Config.Key")
}

// Writers of several tasks commit at the same time.
func TestTasksCommitSideBySide(t *testing.T) {
	db := newFakeDB()
	s := db.table(Config{})
	at := sinktest.At(0, 8, 1)
	fine(t, s.Recover(t.Context(), at, nil))
	var wg sync.WaitGroup
	for task := range at.Tasks {
		at.Task = task
		w, err := s.Open(t.Context(), at)
		fine(t, err)
		p := &played{writer: w.(*writer[item]), sink: s, at: at}
		wg.Go(func() {
			for e := flow.Epoch(1); e <= 20; e++ {
				b := &flow.Batch[item]{Records: []flow.Record[item]{{Value: itemOf(task*100 + int(e))}}}
				token, err := []byte(nil), p.Write(t.Context(), b)
				if err == nil {
					token, err = p.Prepare(t.Context(), e)
				}
				if err == nil {
					err = p.Commit(t.Context(), [][]byte{token})
				}
				if err != nil {
					t.Error(err)
				}
			}
			_ = p.Close()
		})
	}
	wg.Wait()
	if len(db.rows) != 160 {
		t.Errorf("%d rows, want 160", len(db.rows))
	}
}
