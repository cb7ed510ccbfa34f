package millrace_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

type counts = millrace.Table[string, int64]

func countWords(j *millrace.Job) counts {
	return j.From("words", sources.Slice("a", "b", "a")).KeyBy(itself).Count("count", state.Forever)
}

func hourly(j *millrace.Job) millrace.Windowed[string, string] {
	return j.From("words", sources.Slice("a", "b", "a")).
		EventTime("clock", millrace.Watermark{}, func(string) time.Time { return time.Unix(0, 0) }).
		KeyBy(itself).Window(millrace.Tumbling{Size: time.Hour})
}

func latest(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
	return func(c *millrace.Context[string, string], v string) error { c.Emit(v); return nil }
}

func toTable[K comparable, V any](t millrace.Table[K, V]) func(millrace.Mode) {
	return func(m millrace.Mode) { t.To("out", sinks.Discard[millrace.Pair[K, V]](), m) }
}

func toPanes[K comparable, V any](p millrace.Panes[K, V]) func(millrace.Mode) {
	return func(m millrace.Mode) { p.To("out", sinks.Discard[millrace.Pane[K, V]](), m) }
}

// outputs is the table of docs/modes-and-triggers.md: what Start says of each result in each mode, nothing where it may be. A stream
// has no mode to choose.
var outputs = map[string]struct {
	result                   func(*millrace.Job) func(millrace.Mode)
	append, update, complete []string
}{
	"aggregation without watermark": {
		result: func(j *millrace.Job) func(millrace.Mode) { return toTable(countWords(j)) },
		append: []string{`operator "out": append of "count", whose rows change and are never final; use millrace.Update or millrace.Complete`},
	},
	"its rows, mapped and filtered": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return toTable(countWords(j).MapValues("map", func(_ string, n int64) int64 { return n }).Filter("few", func(string, int64) bool { return true }))
		},
		append: []string{`operator "out": append of "few", whose rows change`},
	},
	"window": {
		result: func(j *millrace.Job) func(millrace.Mode) { return toPanes(hourly(j).Count("count")) },
	},
	"aggregation over an updating aggregation": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return toTable(countWords(j).GroupBy(func(_ string, n int64) int64 { return n }).Count("often"))
		},
		append: []string{`operator "out": append of "often", an aggregation over rows that change`, "use millrace.Update or millrace.Complete"},
	},
	"aggregation over a window": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return toTable(hourly(j).Count("count").GroupBy(func(p millrace.Pane[string, int64]) int64 { return p.Value }).Count("often"))
		},
		append: []string{`operator "out": append of "often", an aggregation over rows that change`},
	},
	"processor of a table": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return toTable(j.From("words", sources.Slice("a")).KeyBy(itself).ProcessTable("latest", latest))
		},
		append:   []string{`operator "out": append of "latest", a processor whose rows change; use millrace.Update`},
		complete: []string{`operator "out": complete of "latest", a processor`, "use millrace.Update"},
	},
	"aggregation over a processor's rows": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return toTable(j.From("words", sources.Slice("a")).KeyBy(itself).ProcessTable("latest", latest).
				GroupBy(func(_, v string) string { return v }).Count("often"))
		},
		append: []string{`operator "out": append of "often"`},
	},
	"a sink that takes append only": {
		result: func(j *millrace.Job) func(millrace.Mode) {
			return func(m millrace.Mode) {
				hourly(j).Count("count").To("out", sinks.TextFile[millrace.Pane[string, int64]]("out.txt", nil), m)
			}
		},
		update:   []string{`operator "out": update output to a sink that takes append only`},
		complete: []string{`operator "out": complete output to a sink that takes append only`},
	},
}

func TestOutputModes(t *testing.T) {
	for name, c := range outputs {
		for mode, want := range map[millrace.Mode][]string{millrace.Append: c.append, millrace.Update: c.update, millrace.Complete: c.complete} {
			j := millrace.NewJob("modes")
			c.result(j)(mode)
			_, err := j.Describe(millrace.Config{})
			if (err == nil) != (len(want) == 0) {
				t.Errorf("%s, %v: error %v, want %q", name, mode, err, want)
			}
			for _, w := range want {
				if err != nil && !strings.Contains(err.Error(), w) {
					t.Errorf("%s, %v: error %q does not say %q", name, mode, err, w)
				}
			}
		}
	}
}

func TestOutputsThatCannotBe(t *testing.T) {
	for want, build := range map[string]func(*millrace.Job){
		"output mode 0, want millrace.Append": func(j *millrace.Job) { toTable(countWords(j))(0) },
		`operator "often": aggregation over "count", which forgets rows after a time to live`: func(j *millrace.Job) {
			toTable(j.From("words", sources.Slice("a")).KeyBy(itself).Count("count", time.Hour).
				GroupBy(func(_ string, n int64) int64 { return n }).Count("often"))(millrace.Update)
		},
		`operator "often": func is nil`: func(j *millrace.Job) {
			toTable(countWords(j).GroupBy[int64](nil).Count("often"))(millrace.Update)
		},
		`operator "out": Parallelism is 2, but its output has one writer`: func(j *millrace.Job) { toTable(countWords(j))(millrace.Complete) },
	} {
		j := millrace.NewJob("modes")
		build(j)
		var c millrace.Config
		if strings.Contains(want, "Parallelism") {
			c.Operators = map[string]millrace.OperatorConfig{"out": {Parallelism: 2}}
		}
		if _, err := j.Describe(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// perBatch is a sink that keeps what each batch brought.
type perBatch[T any] struct {
	mu      sync.Mutex
	batches map[int64][]string
	writers int
}

func (p *perBatch[T]) Open(context.Context, sinks.Instance) (sinks.Writer[T], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writers++
	return &perBatchWriter[T]{to: p}, nil
}

type perBatchWriter[T any] struct {
	to   *perBatch[T]
	rows []string
}

func (w *perBatchWriter[T]) Flush(context.Context) error { return nil }
func (w *perBatchWriter[T]) Close() error                { return nil }
func (w *perBatchWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		w.rows = append(w.rows, fmt.Sprint(b.KindOf(i), " ", b.Records[i].Value))
	}
	return nil
}

func (w *perBatchWriter[T]) EndBatch(_ context.Context, batch int64) error {
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.batches[batch] = append(w.to.batches[batch], w.rows...)
	slices.Sort(w.to.batches[batch])
	w.rows = nil
	return nil
}

// inBatches runs what build makes of words in batches of three.
func inBatches[T any](t *testing.T, parallelism int, words []string, build func(millrace.Stream[string], sinks.Sink[T])) *perBatch[T] {
	t.Helper()
	p := &perBatch[T]{batches: map[int64][]string{}}
	j := millrace.NewJob("batches")
	build(j.From("words", sources.Slice(words...)), p)
	run(t, j, millrace.Config{Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 3, Parallelism: parallelism})
	return p
}

func (p *perBatch[T]) want(t *testing.T, want ...[]string) {
	t.Helper()
	for i, w := range want {
		if got := p.batches[int64(i)]; !slices.Equal(got, w) {
			t.Errorf("batch %d brought %q, want %q", i, got, w)
		}
	}
}

// Under a micro-batch trigger a row that changed is there once, with its last value; one that came and went is not.
func TestUpdateInBatches(t *testing.T) {
	for parallelism := range 3 {
		p := inBatches(t, parallelism+1, []string{"a", "b", "a", "a", "c", "c", "b", "b", "b"}, func(s millrace.Stream[string], out sinks.Sink[millrace.Pair[string, int64]]) {
			s.KeyBy(itself).Count("count", state.Forever).Filter("not 3", func(_ string, n int64) bool { return n != 3 }).To("out", out, millrace.Update)
		})
		p.want(t, []string{"insert {a 2}", "insert {b 1}"}, []string{"delete {a 2}", "insert {c 2}"}, []string{"insert {b 4}"})
	}
	p := inBatches(t, 2, []string{"a", "a", "a"}, func(s millrace.Stream[string], out sinks.Sink[millrace.Pair[string, int64]]) {
		s.KeyBy(itself).Count("count", state.Forever).Filter("not 3", func(_ string, n int64) bool { return n != 3 }).To("out", out, millrace.Update)
	})
	p.want(t, nil)
}

// A complete table comes whole, to one writer, when it changed; without rows it is one deletion.
func TestCompleteInBatches(t *testing.T) {
	for parallelism := range 3 {
		p := inBatches(t, parallelism+1, []string{"a", "b", "a", "c", "b", "b"}, func(s millrace.Stream[string], out sinks.Sink[millrace.Pair[string, int64]]) {
			s.KeyBy(itself).Count("count", state.Forever).To("out", out, millrace.Complete)
		})
		p.want(t, []string{"insert {a 2}", "insert {b 1}"}, []string{"insert {a 2}", "insert {b 3}", "insert {c 1}"})
		if p.writers != 1 {
			t.Errorf("%d writers", p.writers)
		}
	}
	p := inBatches(t, 2, []string{"a", "b", "b", "a", "a", "a", "b", "b", "b"}, func(s millrace.Stream[string], out sinks.Sink[millrace.Pair[string, int64]]) {
		s.KeyBy(itself).Count("count", state.Forever).Filter("few", func(_ string, n int64) bool { return n < 2 }).To("out", out, millrace.Complete)
	})
	p.want(t, []string{"insert {a 1}"}, []string{"delete {a 1}"}, nil)
}

// The function of a batch is called once for the whole job, with all rows and the number.
func TestForEachBatch(t *testing.T) {
	calls := map[int64][]string{}
	j := millrace.NewJob("batches")
	j.From("words", sources.Slice("a", "b", "c", "d", "e")).Rebalance("spread").
		To("out", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[string]) error {
			for _, r := range rows {
				calls[batch] = append(calls[batch], r.Value)
			}
			slices.Sort(calls[batch])
			return nil
		}))
	run(t, j, millrace.Config{Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 3, Parallelism: 3})
	if got, want := fmt.Sprint(calls), "map[0:[a b c] 1:[d e]]"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}

// The table in memory, under update and complete, in real time and in batches, is what the rows are.
func TestMemory(t *testing.T) {
	for _, trigger := range []millrace.Trigger{millrace.RealTime(0), millrace.MicroBatch(), millrace.AvailableNow()} {
		for _, mode := range []millrace.Mode{millrace.Update, millrace.Complete} {
			j := millrace.NewJob("memory")
			table := sinks.Memory[millrace.Pair[string, int64]]("counts")
			countWords(j).To("out", table, mode)
			run(t, j, millrace.Config{Trigger: trigger, Parallelism: 2})
			got := map[string]int64{}
			for _, p := range table.Rows() {
				got[p.Key] = p.Value
			}
			if want := map[string]int64{"a": 2, "b": 1}; !maps.Equal(got, want) || table.Len() != 2 {
				t.Errorf("%v, %v: rows %v, want %v", trigger, mode, table.Rows(), want)
			}
		}
	}
}

// A run in batches can be gone on with in real time, and back: what matters stands in the state of either.
func TestModesGoOnUnderAnotherTrigger(t *testing.T) {
	dir := t.TempDir()
	for i, trigger := range []millrace.Trigger{millrace.MicroBatch(), millrace.RealTime(0), millrace.AvailableNow()} {
		src := grow(1, 2, 3)
		src.end = i == 2
		j := millrace.NewJob("either")
		out := sinks.Collect[millrace.Pair[string, int64]]()
		j.From("in", src).KeyBy(func(v int) string { return fmt.Sprint(v % 2) }).Count("count", state.Forever).To("out", out, millrace.Update)
		q := begin(t, j, millrace.Config{StateDir: dir, Trigger: trigger})
		if i == 2 {
			finished(t, q, millrace.Finished)
			continue
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatalf("%v: %v", trigger, err)
		}
	}
}

// Groups of panes take back what a pane was, and are exact whatever happens to the tasks.
func TestPanesGroupBy(t *testing.T) {
	type event struct {
		Who string
		At  time.Time
	}
	for seed := range invariants.Sized[uint64](20, 4) {
		random := rand.New(rand.NewPCG(seed, 3))
		millracetest.PlayOne(t, millracetest.RandomVariant(seed), func(s *millracetest.Script) {
			in, out := s.Input[event](), s.Output[millrace.Pair[int64, int64]]()
			s.Build(func(j *millrace.Job) {
				j.From("in", in).EventTime("clock", millrace.Watermark{Delay: time.Hour}, func(e event) time.Time { return e.At }).
					KeyBy(func(e event) string { return e.Who }).Window(millrace.Tumbling{Size: time.Minute}).Count("count").
					Filter("not 3", func(p millrace.Pane[string, int64]) bool { return p.Value != 3 }).
					GroupBy(func(p millrace.Pane[string, int64]) int64 { return p.Value }).Count("often").To("out", out, millrace.Update)
			})
			type pane struct {
				who    string
				minute int
			}
			panes := map[pane]int64{}
			for range 30 {
				p := pane{fmt.Sprint(random.IntN(3)), random.IntN(3)}
				panes[p]++
				in.Send(event{p.who, time.Date(2026, 1, 1, 0, p.minute, random.IntN(60), 0, time.UTC)})
				want := map[int64]int64{}
				for _, n := range panes {
					if n != 3 {
						want[n]++
					}
				}
				if got := millracetest.Rows(out); !maps.Equal(got, want) {
					s.T().Fatalf("seed %d: %v make %v, want %v", seed, panes, sorted(got), sorted(want))
				}
			}
		})
	}
}
