package millrace_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

type withChannel struct{ Done chan int }

// wrongUses are topologies and configurations that Start must refuse, with what the error has to say.
var wrongUses = map[string]struct {
	build  func(*millrace.Job, *memory[string])
	config millrace.Config
	want   []string
}{
	"nil function": {
		build: func(j *millrace.Job, m *memory[string]) {
			j.From("lines", sources.Slice("a")).Map[string]("price", nil).To("out", m)
		},
		want: []string{`job "wrong": operator "price": func is nil`},
	},
	"duplicate id": {
		build: func(j *millrace.Job, m *memory[string]) {
			s := j.From("lines", sources.Slice("a"))
			s.Filter("same", func(string) bool { return true }).Map("same", itself).To("out", m)
		},
		want: []string{`operator id "same" used twice (Filter and Map)`},
	},
	"no id": {
		build: func(j *millrace.Job, m *memory[string]) { j.From("", sources.Slice("a")).To("out", m) },
		want:  []string{`From has no id`},
	},
	"all together": {
		build: func(j *millrace.Job, m *memory[string]) {
			s := j.From("lines", sources.Slice("a")).Map[string]("one", nil).Filter("two", nil)
			s.To("two", m)
		},
		want: []string{`operator "one": func is nil`, `operator "two": func is nil`, `operator id "two" used twice (Filter and To)`},
	},
	"unknown id in config": {
		build:  func(j *millrace.Job, m *memory[string]) { j.From("lines", sources.Slice("a")).To("out", m) },
		config: millrace.Config{Operators: map[string]millrace.OperatorConfig{"lynes": {Parallelism: 2}}},
		want:   []string{`config names operator "lynes"; job "wrong" has: lines, out`},
	},
	"interval too short": {
		build:  func(j *millrace.Job, m *memory[string]) { j.From("lines", sources.Slice("a")).To("out", m) },
		config: millrace.Config{CheckpointEvery: 2 * time.Millisecond},
		want:   []string{"CheckpointEvery is 2ms, want at least 10ms"},
	},
	"too many epochs kept": {
		build:  func(j *millrace.Job, m *memory[string]) { j.From("lines", sources.Slice("a")).To("out", m) },
		config: millrace.Config{RetainEpochs: 1001},
		want:   []string{"RetainEpochs is 1001, want 1 to 1000"},
	},
	"no sink": {
		build: func(j *millrace.Job, _ *memory[string]) { j.From("lines", sources.Slice("a")).Map("same", itself) },
		want:  []string{"no stream ends in a sink"},
	},
	"nil sink": {
		build: func(j *millrace.Job, _ *memory[string]) { j.From("lines", sources.Slice("a")).To("out", nil) },
		want:  []string{`operator "out": sink is nil`},
	},
	"nil source": {
		build: func(j *millrace.Job, m *memory[string]) { j.From[string]("lines", nil).To("out", m) },
		want:  []string{`operator "lines": source is nil`},
	},
	"append of an aggregation": {
		build: func(j *millrace.Job, _ *memory[string]) {
			j.From("lines", sources.Slice("a")).KeyBy(itself).Count("count", state.Forever).To("out", &memory[millrace.Pair[string, int64]]{}, millrace.Append)
		},
		want: []string{`operator "out": append of "count"`, "use millrace.Update"},
	},
	"a record that cannot be encoded": {
		build: func(j *millrace.Job, m *memory[string]) {
			j.From("lines", sources.Slice("a")).
				Map("wrap", func(string) withChannel { return withChannel{} }).
				Rebalance("spread").
				Map("unwrap", func(withChannel) string { return "" }).To("out", m)
		},
		want: []string{`operator "wrap": records of`, `to operator "spread"`, "Done", "chan int"},
	},
	"state that cannot be encoded": {
		build: func(j *millrace.Job, m *memory[string]) {
			j.From("lines", sources.Slice("a")).KeyBy(itself).
				Process("keep", func(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
					s.Value[func()]("callback", state.Forever)
					return func(*millrace.Context[string, string], string) error { return nil }
				}).To("out", m)
		},
		want: []string{`operator "keep"`, `"callback"`, "func()"},
	},
	"a key without a stable hash": {
		build: func(j *millrace.Job, m *memory[string]) {
			j.From("lines", sources.Slice("a")).KeyBy(func(string) float64 { return 0 }).Reduce("last", state.Forever, func(_, b string) string { return b }).
				Stream("values", func(_ float64, v string) string { return v }).To("out", m)
		},
		want: []string{`operator "last": key:`, "float64"},
	},
	"more tasks than key groups": {
		build: func(j *millrace.Job, m *memory[string]) {
			j.From("lines", sources.Slice("a")).RepartitionBy("spread", 20, itself).To("out", m)
		},
		config: millrace.Config{KeyGroups: 16},
		want:   []string{`operator "spread" has 20 tasks, more than the 16 key groups`},
	},
}

// Every kind of wrong use is one clear error from Start, before any record flows.
func TestWrongUseIsRefusedBeforeARecordFlows(t *testing.T) {
	for name, c := range wrongUses {
		t.Run(name, func(t *testing.T) {
			var out memory[string]
			j := millrace.NewJob("wrong")
			c.build(j, &out)
			c.config.StateDir = t.TempDir()
			_, err := j.Start(t.Context(), c.config)
			if err == nil {
				t.Fatal("started")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if len(out.all()) > 0 {
				t.Errorf("records flowed: %q", out.all())
			}
		})
	}
}

func TestACheckpointOfAnotherTopologyIsRefused(t *testing.T) {
	dir := t.TempDir()
	build := func(id string) *millrace.Job {
		j := millrace.NewJob("changing")
		j.From("lines", sources.Slice("a", "b")).KeyBy(itself).Count(id, state.Forever).To("out", &memory[millrace.Pair[string, int64]]{}, millrace.Update)
		return j
	}
	run(t, build("count"), millrace.Config{StateDir: dir})
	_, err := build("counts").Start(t.Context(), millrace.Config{StateDir: dir})
	if !errors.Is(err, checkpoint.ErrPlan) || !strings.Contains(err.Error(), `"count"`) {
		t.Fatalf("error %v, want one that names operator \"count\"", err)
	}
	run(t, build("count"), millrace.Config{StateDir: dir}) // untouched by the refusal
}

func TestTwoRunsOnOneStateDirectory(t *testing.T) {
	dir := t.TempDir()
	in := make(chan string)
	start := func() (*millrace.Query, error) {
		j := millrace.NewJob("twice")
		j.From("lines", sources.Channel(in)).To("out", &memory[string]{})
		return j.Start(t.Context(), millrace.Config{StateDir: dir})
	}
	q, err := start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start(); !errors.Is(err, checkpoint.ErrLocked) {
		t.Errorf("error of the second run is %v", err)
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedCheckpointIsNoFreshStart(t *testing.T) {
	dir := t.TempDir()
	j := func() *millrace.Job {
		j := millrace.NewJob("damaged")
		counted(j, 100, 10).To("out", &memory[millrace.Pair[int, int64]]{}, millrace.Update)
		return j
	}
	run(t, j(), millrace.Config{StateDir: dir})
	truncateOne(t, dir)
	_, err := j().Start(t.Context(), millrace.Config{StateDir: dir})
	if !errors.Is(err, checkpoint.ErrDamaged) {
		t.Fatalf("error %v, want one that says the checkpoint is damaged", err)
	}
}

// truncateOne shortens the largest file of the checkpoints by a byte.
func truncateOne(t *testing.T, dir string) {
	t.Helper()
	var path string
	var size int64
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > size {
			path, size = p, info.Size()
		}
		return err
	})
	if err != nil || size == 0 {
		t.Fatalf("no file in %s: %v", dir, err)
	}
	if err := os.Truncate(path, size-1); err != nil {
		t.Fatal(err)
	}
}
