package millrace_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// Two versions of what a bank keeps.
type (
	balanceV1 struct {
		Cents  int32
		Owner  string
		Branch string
		Opened time.Time
		Last   []moveV1
	}
	moveV1    struct{ Cents int32 }
	balanceV2 struct {
		Last     []moveV2
		Opened   time.Time
		Balance  int64   `millrace:",alias=Cents"`
		Owner    *string // may be missing now
		Currency string
	}
	moveV2 struct {
		Amount float64 `millrace:",alias=Cents"`
		Memo   string
	}
)

var opened = time.Date(1, 2, 3, 4, 5, 6, 7, time.UTC) // before what nanoseconds since 1970 reach

// version is one version of a job. session runs it with the words, stops it, and gives what it emitted.
type version[B any] struct {
	add  func(B, string) B
	show func(B) string
	more []string // states it has besides
}

// job keeps a B for each word: in a value, a list and a map of a processor, and in an aggregation.
func (v version[B]) job(words <-chan string, shown *memory[string], rows *memory[millrace.Pair[string, B]]) *millrace.Job {
	j := millrace.NewJob("bank")
	in := j.From("words", sources.Channel(words)).KeyBy(itself)
	in.Process("book", func(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
		value, list, byLen := s.Value[B]("value", time.Hour), s.List[B]("list", state.Forever), s.Map[int8, B]("map", state.Forever)
		for _, name := range v.more {
			s.Value[int](name, state.Forever)
		}
		return func(c *millrace.Context[string, string], w string) error {
			old, _ := value.Get()
			b := v.add(old, w)
			value.Set(b)
			list.Append(b)
			old, _ = byLen.Get(-1)
			m := v.add(old, w)
			byLen.Set(-1, m)
			c.Emit(fmt.Sprintf("%s value %s list %d map %s", w, v.show(b), list.Len(), v.show(m)))
			return nil
		}
	}).To("shown", shown)
	in.Aggregate("sum", state.Forever, v.add).To("rows", rows, millrace.Update)
	return j
}

func (v version[B]) session(t *testing.T, c millrace.Config, words ...string) ([]string, []millrace.Pair[string, B]) {
	t.Helper()
	in, seen := make(chan string), make(chan struct{}, 2*len(words))
	var shown memory[string]
	var rows memory[millrace.Pair[string, B]]
	shown.each = func(string) error { seen <- struct{}{}; return nil }
	rows.each = func(millrace.Pair[string, B]) error { seen <- struct{}{}; return nil }
	q, err := v.job(in, &shown, &rows).Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		in <- w
		for range 2 {
			select {
			case <-seen:
			case <-q.Done():
				t.Fatal(q.Err())
			}
		}
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shown.all(), rows.all()
}

var (
	version1 = version[balanceV1]{add: func(b balanceV1, w string) balanceV1 {
		return balanceV1{b.Cents + 5, w, "main", opened, append(b.Last, moveV1{b.Cents})}
	}, show: func(b balanceV1) string { return fmt.Sprint(b.Cents) }}
	version2 = version[balanceV2]{add: func(b balanceV2, _ string) balanceV2 {
		b.Balance, b.Last = b.Balance+1<<40, append(b.Last, moveV2{0.5, "new"})
		return b
	}, show: func(b balanceV2) string {
		owner := "nobody"
		if b.Owner != nil {
			owner = *b.Owner
		}
		return fmt.Sprintf("%d %s %q %t %v", b.Balance-1<<40, owner, b.Currency, b.Opened.Equal(opened), b.Last)
	}, more: []string{"extra"}}
)

// A job goes on under types that gained, lost, widened and renamed fields, with every kind of state, in memory and on disk, and
// with another parallelism.
func TestStateOfAnOlderVersionRestores(t *testing.T) {
	for name, backend := range map[string]millrace.Config{"memory": {}, "badger": {State: millrace.Badger}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			backend.StateDir, backend.Parallelism = t.TempDir(), 1
			if got, _ := version1.session(t, backend, "ann", "bob", "ann"); !slices.Equal(got, []string{"ann value 5 list 1 map 5", "bob value 5 list 1 map 5", "ann value 10 list 2 map 10"}) {
				t.Fatalf("version 1: %q", got)
			}
			backend.Parallelism, backend.Logger = 3, slog.New(slog.NewTextHandler(&log, nil))
			shown, rows := version2.session(t, backend, "ann")
			const was = `10 ann "" true [{0 } {5 } {0.5 new}]`
			if got, want := shown, "ann value "+was+" list 3 map "+was; len(got) != 1 || got[0] != want {
				t.Errorf("version 2:\ngot  %q\nwant %q", got, want)
			}
			if got := rows; len(got) != 1 || got[0].Value.Balance != 10+1<<40 || got[0].Value.Last[1] != (moveV2{5, ""}) {
				t.Errorf("version 2: rows %+v", got)
			}
			for _, w := range []string{"operator=sum", `operator=book state=value dropped=[Branch] added="[Last[].Memo Currency]"`, "state=list/elements"} {
				if !strings.Contains(log.String(), w) {
					t.Errorf("log does not say %s:\n%s", w, log.String())
				}
			}
			log.Reset()
			shown, _ = version2.session(t, backend, "bob") // now at home: nothing is written anew
			const bobs = `5 bob "" true [{0 } {0.5 new}]`
			if got, want := shown, "bob value "+bobs+" list 2 map "+bobs; len(got) != 1 || got[0] != want {
				t.Errorf("version 2 again:\ngot  %q\nwant %q", got, want)
			}
			if strings.Contains(log.String(), "another version") {
				t.Errorf("log:\n%s", log.String())
			}
		})
	}
}

// What cannot be read is refused at start, with operator, state and field; the state is left as it was.
func TestStateThatCannotEvolveIsRefused(t *testing.T) {
	type narrow struct{ Cents int8 }
	c := millrace.Config{StateDir: t.TempDir()}
	version1.session(t, c, "ann")
	other := version[narrow]{add: func(n narrow, _ string) narrow { return n }, show: func(narrow) string { return "" }}
	_, err := other.job(make(chan string), new(memory[string]), new(memory[millrace.Pair[string, narrow]])).Start(t.Context(), c)
	if !errors.Is(err, checkpoint.ErrPlan) {
		t.Fatalf("error %v", err)
	}
	for _, at := range []string{`operator "book": state "value"`, `operator "book": state "list"`, `operator "book": state "map"`, `operator "sum": state "`} {
		if i := strings.Index(err.Error(), at); i < 0 || !strings.Contains(err.Error()[i:], `field "Cents" was written as int32 and is now int8, which cannot hold it; keep the type it has`) {
			t.Errorf("error %v\ndoes not name the field of %s", err, at)
		}
	}
	if got, _ := version1.session(t, c, "ann"); !slices.Equal(got, []string{"ann value 10 list 2 map 10"}) {
		t.Errorf("version 1 again: %q", got)
	}
}

// Keys say where state lives: a map's key and an operator's key stay what they are.
func TestKeysDoNotEvolve(t *testing.T) {
	build := func(declare func(*millrace.Setup[string, string])) *millrace.Job {
		j := millrace.NewJob("keys")
		j.From("words", sources.Slice("a")).KeyBy(itself).Process("p", func(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
			declare(s)
			return func(*millrace.Context[string, string], string) error { return nil }
		}).To("out", &memory[string]{})
		return j
	}
	c := millrace.Config{StateDir: t.TempDir()}
	run(t, build(func(s *millrace.Setup[string, string]) { s.Map[int32, int]("m", state.Forever) }), c)
	_, err := build(func(s *millrace.Setup[string, string]) { s.Map[int64, int]("m", state.Forever) }).Start(t.Context(), c)
	if !errors.Is(err, checkpoint.ErrPlan) || !strings.Contains(err.Error(), `operator "p": the key of state "m/entries" was written as`) {
		t.Fatalf("error %v", err)
	}
}
