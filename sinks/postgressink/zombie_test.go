//go:build integration

package postgressink

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// openReal is a session of the sink's own kind.
func openReal(t *testing.T, cfg Config) session {
	t.Helper()
	cols, err := columnsOf[item](cfg.Key)
	fine(t, err)
	s, err := openSession(cfg.withDefaults(), cols)(t.Context())
	fine(t, err)
	t.Cleanup(s.close)
	return s
}

// waits returns when a connection waits for a lock in a statement about this schema.
func (p *place) waits(t *testing.T) {
	t.Helper()
	look := &place{conn: connectReal(t)}
	defer look.conn.Close(context.Background())
	for look.number(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%'||$1||'%'", p.schema) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
	}
}

// An attempt that is publishing when it is overtaken comes to its end, and the next sees what it did; what it begins later is refused.
func TestRealZombie(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	cfg := p.config("items")
	old, err := realPlay(t, cfg, sinktest.At(0, 1, 1))
	fine(t, err)
	first, second := old.epoch(t, 1, 0, 3), old.epoch(t, 2, 3, 3)
	x, err := old.publication(first.Token)
	fine(t, err)

	slow := openReal(t, cfg)
	st, err := slow.begin(t.Context(), old.to.of, names([]publication{x}))
	fine(t, err)
	if st.lease != 1 {
		t.Fatalf("the lease is attempt %d's, want 1", st.lease)
	}
	recovered := make(chan error, 1)
	next := Table[item](cfg)
	at := sinktest.At(0, 1, 2)
	at.Restored = 2
	go func() { recovered <- next.Recover(context.Background(), at, []sinks.Prepared{first, second}) }()
	p.waits(t)
	fine(t, slow.write(t.Context(), old.to.of, []publication{x}))
	fine(t, <-recovered)
	wantItems(t, p.items(t), 6)
	if err := old.commit(t, first, second); !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("error %v, want ErrFenced", err)
	}
	if err := old.commit(t, old.epoch(t, 3, 6, 1)); !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("error %v, want ErrFenced", err)
	}
	wantItems(t, p.items(t), 6)
}

// A process that was stopped within its transaction keeps the next one waiting for seconds only, and cannot go on with it.
func TestRealZombieThatSleeps(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	cfg := p.config("items")
	old, err := realPlay(t, cfg, sinktest.At(0, 1, 1))
	fine(t, err)
	first := old.epoch(t, 1, 0, 3)
	x, err := old.publication(first.Token)
	fine(t, err)
	asleep := openReal(t, cfg)
	_, err = asleep.begin(t.Context(), old.to.of, names([]publication{x}))
	fine(t, err)
	begun := time.Now()
	_, err = realPlay(t, cfg, sinktest.At(0, 1, 2), first)
	fine(t, err)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the next attempt waited for %v, want some 5 s", took)
	}
	if err := asleep.write(t.Context(), old.to.of, []publication{x}); err == nil {
		t.Error("the old attempt went on with its transaction")
	}
	wantItems(t, p.items(t), 3)
}

// A commit whose answer did not come may be under way still: the next try waits for it instead of writing the rows again.
func TestRealCommitUnderWay(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	cfg := p.config("items")
	w, err := realPlay(t, cfg, sinktest.At(0, 1, 1))
	fine(t, err)
	first := w.epoch(t, 1, 0, 3)
	p.exec(t, "BEGIN") // what the server is still doing for the connection that is gone
	p.exec(t, "INSERT INTO millrace_epochs VALUES ('lineage', 'sink', 0, 1, 1, 0, 3)")
	p.exec(t, "INSERT INTO items SELECT i, 'text ' || i FROM generate_series(0, 2) i")
	done := make(chan error, 1)
	go func() { done <- w.Commit(context.Background(), [][]byte{first.Token}) }()
	p.waits(t)
	p.exec(t, "COMMIT")
	fine(t, <-done)
	wantItems(t, p.items(t), 3)
}

// A server that stops and starts costs time and nothing else.
func TestRealRestart(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	w, err := realPlay(t, p.config("items"), sinktest.At(0, 1, 1))
	fine(t, err)
	fine(t, w.commit(t, w.epoch(t, 1, 0, 3)))
	second := w.epoch(t, 2, 3, 3)
	script := func(what string) {
		t.Helper()
		if out, err := exec.CommandContext(context.Background(), "../../scripts/postgres.sh", what).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	script("stop")
	done := make(chan error, 1)
	go func() { done <- w.Commit(context.Background(), [][]byte{second.Token}) }()
	script("start")
	fine(t, <-done)
	if w.to.attempts < 2 {
		t.Errorf("%d tries, want more than one", w.to.attempts)
	}
	p.conn = connectReal(t) // the one before has ended too
	p.exec(t, "SET search_path = "+p.schema)
	wantItems(t, p.items(t), 6)
	fine(t, w.commit(t, w.epoch(t, flow.Epoch(3), 6, 1)))
	wantItems(t, p.items(t), 7)
}
