package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// count is a row of a table, as the engine makes them.
type count struct {
	Word string
	N    int64 `millrace:"count"`
}

func (c count) RowKey() any { return c.Word }

func openAs[T any](t *testing.T, s sinks.Sink[T], m sinks.Mode, batched bool) sinks.Writer[T] {
	t.Helper()
	at := sinktest.At(0, 1, 1)
	at.Mode, at.Batched = m, batched
	w, err := s.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func put[T any](t *testing.T, w sinks.Writer[T], kind flow.Kind, vs ...T) {
	t.Helper()
	b := &flow.Batch[T]{}
	for _, v := range vs {
		b.Records, b.Kinds = append(b.Records, flow.Record[T]{Value: v}), append(b.Kinds, kind)
	}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func end[T any](t *testing.T, w sinks.Writer[T], batch int64) {
	t.Helper()
	if err := w.(sinks.Batcher).EndBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// journal is a ForEachWriter that notes what it is told.
type journal struct {
	told []string
	skip int64 // this epoch
	fail string
}

func (j *journal) Open(_ context.Context, task int, epoch int64) (bool, error) {
	j.told = append(j.told, fmt.Sprintf("open %d %d", task, epoch))
	return epoch != j.skip, nil
}

func (j *journal) Process(_ context.Context, r sinks.Row[string]) error {
	if r.Value == j.fail {
		return errors.New("refused")
	}
	j.told = append(j.told, r.Kind.String()+" "+r.Value)
	return nil
}

func (j *journal) Close(_ context.Context, cause error) error {
	j.told = append(j.told, fmt.Sprintf("close %v", cause))
	return nil
}

func (j *journal) Release() error {
	j.told = append(j.told, "release")
	return nil
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(j.told, want) {
		t.Errorf("told %q, want %q", j.told, want)
	}
	j.told = nil
}

func TestForEachHandsABatchOverAtItsEnd(t *testing.T) {
	j := &journal{skip: 5}
	w := openAs(t, sinks.ForEach(func() sinks.ForEachWriter[string] { return j }), sinks.Update, true)
	end(t, w, 3)
	put(t, w, flow.Insert, "a")
	put(t, w, flow.Delete, "b")
	j.want(t)
	end(t, w, 4)
	j.want(t, "open 0 4", "insert a", "delete b", "close <nil>")
	put(t, w, flow.Insert, "skipped", "skipped too")
	end(t, w, 5)
	j.want(t, "open 0 5")
	put(t, w, flow.Insert, "c")
	end(t, w, 6)
	put(t, w, flow.Insert, "lost with the attempt")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	j.want(t, "open 0 6", "insert c", "close <nil>", "release")
}

// One by one, records go on at once, and a number never comes again.
func TestForEachInRealTime(t *testing.T) {
	const first = 1 << 32 // of attempt 1
	j := &journal{skip: first + 1}
	w := openAs(t, sinks.ForEach(func() sinks.ForEachWriter[string] { return j }), sinks.Append, false)
	put(t, w, flow.Insert, "a")
	j.want(t, fmt.Sprint("open 0 ", first), "insert a")
	end(t, w, 0)
	end(t, w, 1)
	j.want(t, "close <nil>")
	put(t, w, flow.Insert, "skipped")
	end(t, w, 2)
	j.want(t, fmt.Sprint("open 0 ", first+1))
	put(t, w, flow.Insert, "b")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	j.want(t, fmt.Sprint("open 0 ", first+2), "insert b", "close the attempt ended within the epoch", "release")
}

func TestForEachClosesWithTheErrorThatFailedIt(t *testing.T) {
	j := &journal{skip: -1, fail: "bad"}
	w := openAs(t, sinks.ForEach(func() sinks.ForEachWriter[string] { return j }), sinks.Append, false)
	b := &flow.Batch[string]{Records: []flow.Record[string]{{Value: "a"}, {Value: "bad"}}}
	if err := w.Write(t.Context(), b); err == nil || err.Error() != "refused" {
		t.Errorf("error %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	j.want(t, fmt.Sprint("open 0 ", 1<<32), "insert a", "close refused", "release")
}

func TestForEachConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			c := &committed{}
			return sinks.ForEach(func() sinks.ForEachWriter[string] { return &transaction{to: c} }), func(*testing.T) []string { return c.values }
		},
		Value: value,
	})
}

type committed struct{ values []string }

// transaction shows its values when it is closed.
type transaction struct {
	to   *committed
	open []string
}

func (x *transaction) Open(context.Context, int, int64) (bool, error) { x.open = nil; return true, nil }

func (x *transaction) Process(_ context.Context, r sinks.Row[string]) error {
	x.open = append(x.open, r.Value)
	return nil
}

func (x *transaction) Close(_ context.Context, cause error) error {
	if cause == nil {
		x.to.values = append(x.to.values, x.open...)
	}
	return nil
}

type batchCall struct {
	Batch int64
	Rows  []sinks.Row[string]
}

// A batch is called when its epoch is complete, and again by the next attempt, with the rows of the token.
func TestForEachBatchCallsCompleteBatches(t *testing.T) {
	var calls []batchCall
	s := sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[string]) error {
		calls = append(calls, batchCall{batch, rows})
		return nil
	})
	if _, ok := s.(sinks.BatchKeeper); !ok {
		t.Error("the engine would not keep the batches")
	}
	w := openAs(t, s, sinks.Update, true)
	var tokens [][]byte
	end := func(batch int64) {
		if err := w.(sinks.Batcher).EndBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		token, err := w.(sinks.Committer).Prepare(t.Context(), flow.Epoch(batch+1))
		if err != nil {
			t.Fatal(err)
		}
		if token != nil {
			tokens = append(tokens, token)
		}
	}
	put(t, w, flow.Insert, "a")
	put(t, w, flow.Delete, "b")
	end(0)
	end(1)
	put(t, w, flow.Insert, "c")
	end(2)
	if len(calls) > 0 || len(tokens) != 2 {
		t.Fatalf("%d calls before a commit, %d tokens, want none and 2", len(calls), len(tokens))
	}
	if err := w.(sinks.Committer).Commit(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	const want = "[{0 [{insert 0 a} {delete 0 b}]} {2 [{insert 0 c}]}]"
	if got := fmt.Sprint(calls); got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
	calls = nil
	prepared := []sinks.Prepared{{Epoch: 1, Token: tokens[0]}, {Epoch: 3, Token: tokens[1]}}
	if err := s.(sinks.Transactional).Recover(t.Context(), sinktest.At(0, 1, 2), prepared); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(calls); got != want {
		t.Errorf("calls by the next attempt %s, want %s", got, want)
	}
}

// Rows that another version of the job has left are not given to a function as something else.
func TestForEachBatchRefusesOtherRows(t *testing.T) {
	w := openAs(t, sinks.ForEachBatch(func(context.Context, int64, []sinks.Row[string]) error { return nil }), sinks.Update, true)
	put(t, w, flow.Insert, "a")
	if err := w.(sinks.Batcher).EndBatch(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	token, err := w.(sinks.Committer).Prepare(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	other := sinks.ForEachBatch(func(context.Context, int64, []sinks.Row[int]) error { return nil }).(sinks.Transactional)
	for _, token := range [][]byte{token, token[:4], nil} {
		if err := other.Recover(t.Context(), sinktest.At(0, 1, 2), []sinks.Prepared{{Epoch: 1, Token: token}}); err == nil {
			t.Errorf("a token %x of other rows was taken", token)
		}
	}
}

func TestConsoleDrawsATableForEachBatch(t *testing.T) {
	var out bytes.Buffer
	s := sinks.Console[count](sinks.ConsoleConfig{Writer: &out, Rows: 2}, nil)
	if one := s.(sinks.Single); !one.Single(true) || one.Single(false) {
		t.Error("one writer for batches, and only for them")
	}
	w := openAs(t, s, sinks.Update, true)
	put(t, w, flow.Insert, count{"ann\nlee", 7}, count{"bö", 1234}, count{"c", 1})
	end(t, w, 0)
	end(t, w, 1)
	put(t, w, flow.Delete, count{"bö", 1234})
	put(t, w, flow.Insert, count{"d", 1})
	end(t, w, 2)
	const want = `--------
Batch: 0
--------
+--------+-----+
|Word    |count|
+--------+-----+
|ann\nlee|    7|
|bö      | 1234|
+--------+-----+
and 1 more rows

--------
Batch: 2
--------
+------+----+-----+
|kind  |Word|count|
+------+----+-----+
|delete|bö  | 1234|
|insert|d   |    1|
+------+----+-----+

`
	if out.String() != want {
		t.Errorf("drew\n%swant\n%s", &out, want)
	}
}

func TestConsoleColumns(t *testing.T) {
	type window struct{ Start, End time.Time }
	type row struct {
		Key    window
		Value  struct{ Min, Max float64 }
		hidden int
		Skip   int `millrace:"-"`
	}
	var out bytes.Buffer
	w := openAs(t, sinks.Console[row](sinks.ConsoleConfig{Writer: &out}, nil), sinks.Complete, true)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	put(t, w, flow.Insert, row{Key: window{at, at}, hidden: 1})
	end(t, w, 0)
	if got, want := out.String(), "|Key.Start                    |Key.End                      |Value.Min|Value.Max|"; !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Errorf("head is not %s in\n%s", want, got)
	}
	out.Reset()
	put(t, w, flow.Delete, row{}) // the table is empty
	end(t, w, 1)
	if got, want := out.String(), "--------\nBatch: 1\n--------\n+---------+-------+---------+---------+\n|Key.Start|Key.End|Value.Min|Value.Max|\n"; !bytes.HasPrefix(out.Bytes(), []byte(want)) {
		t.Errorf("an empty table:\n%swant it to begin\n%s", got, want)
	}
	out.Reset()
	n := openAs(t, sinks.Console[int](sinks.ConsoleConfig{Writer: &out}, nil), sinks.Append, true)
	put(t, n, flow.Insert, 5, 10)
	end(t, n, 0)
	if got, want := out.String(), "--------\nBatch: 0\n--------\n+-----+\n|value|\n+-----+\n|    5|\n|   10|\n+-----+\n\n"; got != want {
		t.Errorf("drew\n%swant\n%s", got, want)
	}
}

func TestMemoryConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Case[string]{
		New: func(*testing.T) (sinks.Sink[string], func(*testing.T) []string) {
			m := sinks.Memory[string]("conforms")
			return m, func(*testing.T) []string { return m.Rows() }
		},
		Value: value,
	})
}

func TestMemoryIsFoundByNameAndType(t *testing.T) {
	m := sinks.Memory[count]("found")
	if got, ok := sinks.MemoryTable[count]("found"); !ok || got != m {
		t.Error("not found")
	}
	if _, ok := sinks.MemoryTable[string]("found"); ok {
		t.Error("found with rows of another type")
	}
	if _, ok := sinks.MemoryTable[count]("other"); ok {
		t.Error("found under another name")
	}
	if got := sinks.Memory[string]("lines").Modes(); !slices.Equal(got, []sinks.Mode{sinks.Append, sinks.Complete}) {
		t.Errorf("rows that name no other take %v", got)
	}
}

// Under update the rows are what a map makes of the changes, in the order in which they came.
func TestMemoryAppliesChanges(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 5))
		m := sinks.Memory[count]("changes")
		w := openAs(t, sinks.Sink[count](m), sinks.Update, false)
		var want []count
		for i := range int64(200) {
			c := count{fmt.Sprint(random.IntN(20)), i}
			at := slices.IndexFunc(want, func(o count) bool { return o.Word == c.Word })
			kind := []flow.Kind{flow.Insert, flow.UpdateBefore, flow.UpdateAfter, flow.Delete}[random.IntN(4)]
			put(t, w, kind, c)
			switch {
			case kind == flow.UpdateBefore:
			case kind == flow.Delete && at >= 0:
				want = slices.Delete(want, at, at+1)
			case kind == flow.Delete:
			case at >= 0:
				want[at] = c
			default:
				want = append(want, c)
			}
			if got := m.Rows(); !slices.Equal(got, want) || m.Len() != len(want) {
				t.Fatalf("seed %d, change %d: rows %v, want %v", seed, i, got, want)
			}
		}
	}
}

func TestMemoryShowsWholeTablesOnly(t *testing.T) {
	m := sinks.Memory[count]("complete")
	w := openAs(t, sinks.Sink[count](m), sinks.Complete, true)
	steps := []struct {
		kind flow.Kind
		rows []count
		want []count
	}{
		{flow.Insert, []count{{"a", 1}, {"b", 2}}, []count{{"a", 1}, {"b", 2}}},
		{flow.Insert, nil, []count{{"a", 1}, {"b", 2}}},
		{flow.Insert, []count{{"b", 3}}, []count{{"b", 3}}},
		{flow.Delete, []count{{"b", 3}}, nil},
	}
	for i, s := range steps {
		before := m.Rows()
		put(t, w, s.kind, s.rows...)
		if got := m.Rows(); !slices.Equal(got, before) {
			t.Errorf("step %d: %v is shown before the end of the batch", i, got)
		}
		end(t, w, int64(i))
		if got := m.Rows(); !slices.Equal(got, s.want) {
			t.Errorf("step %d: rows %v, want %v", i, got, s.want)
		}
	}
}

func TestSinksRefuseModes(t *testing.T) {
	file := sinks.TextFile[string](t.TempDir()+"/out", nil)
	for m, want := range map[sinks.Mode]string{
		sinks.Append: "", sinks.Update: "update output to a sink that takes append only", sinks.Complete: "complete output to a sink that takes append only",
	} {
		if err := sinks.CheckMode(file, m); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%v: error %v, want %q", m, err, want)
		}
		if err := sinks.CheckMode(sinks.Collect[string](), m); err != nil {
			t.Errorf("%v: %v", m, err)
		}
	}
}
