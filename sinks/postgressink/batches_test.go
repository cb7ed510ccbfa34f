//go:build integration

package postgressink

import (
	"errors"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

func rowsOf(from, n int) (rows []sinks.Row[item]) {
	for i := range n {
		rows = append(rows, sinks.Row[item]{Value: itemOf(from + i)})
	}
	return rows
}

// Each batch is the whole table, once: again with its number it does nothing, with other rows it is refused.
func TestRealReplace(t *testing.T) {
	p := newPlace(t)
	p.exec(t, itemsTable)
	p.exec(t, "CREATE TABLE done (n int)")
	p.exec(t, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO "+p.schema+".done VALUES (1); RETURN NULL; END'")
	p.exec(t, "CREATE TRIGGER note AFTER DELETE ON items FOR EACH STATEMENT EXECUTE FUNCTION note()")
	f := Replace[item](p.config("items"), "job")
	wantDone := func(n int64) {
		t.Helper()
		if got := p.number(t, "SELECT count(*) FROM done"); got != n {
			t.Errorf("the table was replaced %d times, want %d", got, n)
		}
	}
	fine(t, f(t.Context(), 0, rowsOf(0, 5)))
	wantItems(t, p.items(t), 5)
	fine(t, f(t.Context(), 3, rowsOf(0, 7)))
	fine(t, f(t.Context(), 3, rowsOf(0, 7)))
	fine(t, f(t.Context(), 0, rowsOf(0, 5))) // it stands in a record still
	wantItems(t, p.items(t), 7)
	wantDone(2)
	wantError(t, f(t.Context(), 3, rowsOf(0, 8)), `batch 3 of "job"`, "with other rows", "another name")
	wantError(t, f(t.Context(), 2, rowsOf(0, 8)), "the table has batch 3 already", "another name")
	wantItems(t, p.items(t), 7)
	fine(t, Replace[item](p.config("items"), "another job")(t.Context(), 0, rowsOf(0, 2)))
	wantItems(t, p.items(t), 2)
	fine(t, f(t.Context(), 4, []sinks.Row[item]{{Kind: flow.Delete}})) // the table has become empty
	wantItems(t, p.items(t), 0)
	wantError(t, Replace[item](p.config("items"), "")(t.Context(), 0, nil), "no name")
}

// A connection is cut at every request: the batch is there once.
func TestRealReplaceCuts(t *testing.T) {
	for _, answered := range []bool{false, true} {
		for n := 1; ; n++ {
			p := newPlace(t)
			p.exec(t, "CREATE TABLE items (id bigint PRIMARY KEY, text text)")
			cfg, through := p.config("items"), newProxy(t, n, answered)
			cfg.URL = through.url(t)
			f := Replace[item](cfg, "job")
			for batch := range int64(3) {
				fine(t, f(t.Context(), batch, rowsOf(0, int(batch)+1)))
			}
			wantItems(t, p.items(t), 3)
			if got := p.number(t, "SELECT count(*) FROM millrace_batches"); got != 3 {
				t.Errorf("%d batches are noted, want 3", got)
			}
			through.mu.Lock()
			cut := through.cut
			through.mu.Unlock()
			if !cut {
				if n < 9 {
					t.Errorf("%d places to cut at", n)
				}
				break
			}
		}
	}
}

// A write that fails is rolled back with the epoch's other rows, says what the server said, and does not stand in the way of the next epoch.
func TestRealForEach(t *testing.T) {
	p := newPlace(t)
	p.exec(t, "CREATE TABLE items (id bigint PRIMARY KEY CHECK (id <> 1500), text text)")
	w := ForEach[item](p.config("items", "id"))()
	defer func() { fine(t, w.(sinks.Releaser).Release()) }()
	epoch := func(from, n int) error {
		ok, err := w.Open(t.Context(), 0, 1)
		if err != nil || !ok {
			t.Fatalf("open: %v, %v", ok, err)
		}
		for _, r := range rowsOf(from, n) {
			if err := w.Process(t.Context(), r); err != nil {
				return errors.Join(err, w.Close(t.Context(), err))
			}
		}
		return w.Close(t.Context(), nil)
	}
	fine(t, epoch(0, 10))
	wantError(t, epoch(10, 3000), "items_id_check", `postgres table`)
	wantItems(t, p.items(t), 10)
	wantError(t, epoch(1495, 10), "items_id_check") // found when it closes
	wantItems(t, p.items(t), 10)
	fine(t, epoch(0, 1200))
	wantItems(t, p.items(t), 1200)
	_, err := w.Open(t.Context(), 0, 2)
	fine(t, err)
	fine(t, w.Process(t.Context(), sinks.Row[item]{Kind: flow.Delete, Value: itemOf(1199)}))
	fine(t, w.Close(t.Context(), errors.New("the epoch failed elsewhere")))
	wantItems(t, p.items(t), 1200)
	_, err = w.Open(t.Context(), 0, 3)
	fine(t, err)
	fine(t, w.Process(t.Context(), sinks.Row[item]{Kind: flow.Delete, Value: itemOf(1199)}))
	fine(t, w.Close(t.Context(), nil))
	wantItems(t, p.items(t), 1199)
}
