package millrace_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// files reads a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

// slowly is the job of numbers at a pace at which it does not come to its end in a test.
func slowly(n int64, to sinks.Sink[int]) *millrace.Job {
	j := millrace.NewJob("numbers")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 3, Count: n, PerSecond: n / 60}, func(i int64) int { return int(i) })).
		Rebalance("deal").
		To("vault", to)
	return j
}

// startNumbers starts it and waits until some of it is public.
func startNumbers(t *testing.T, n int64, v *vault, c millrace.Config) *millrace.Query {
	t.Helper()
	q, err := slowly(n, v).Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-v.became:
	case <-q.Done():
		t.Fatalf("it ended before anything was public: %v", q.Err())
	}
	return q
}

// What a job has published up to its last savepoint, and what another lineage makes of the rest, is each record once: again and again, at
// other parallelisms and from either backend, with nothing of it in the savepoint waiting to be published.
func TestAStopWithSavepointIsGoneOnFrom(t *testing.T) {
	const n = 60_000
	v, root := newVault(), t.TempDir()
	c := millrace.Config{Parallelism: 3, StateDir: filepath.Join(root, "state-0")}
	ids := map[string]bool{}
	var last string
	for i, parallelism := range []int{3, 1, 4} {
		c.Parallelism, c.StateDir, c.FromSavepoint = parallelism, filepath.Join(root, "state-"+string(rune('0'+i))), last
		q := startNumbers(t, n, v, c)
		last = filepath.Join(root, "savepoint-"+string(rune('0'+i)))
		e, err := q.StopWithSavepoint(t.Context(), last)
		if err != nil {
			t.Fatal(err)
		}
		if p := q.Progress(); p.Status != millrace.Stopped || p.Epoch != e || len(v.pending) != 0 {
			t.Fatalf("status %v, epoch %d, savepoint of epoch %d, %d transactions open", p.Status, p.Epoch, e, len(v.pending))
		}
		if ids[q.ID()] {
			t.Fatalf("lineage %q twice", q.ID())
		}
		ids[q.ID()] = true
	}
	// The old vault's transactions are unknown to the new one: a token in the savepoint would be an error.
	rest := newVault()
	before := files(t, last)
	run(t, numbers(n, rest), millrace.Config{Parallelism: 2, StateDir: filepath.Join(root, "last"), FromSavepoint: last})
	if rest.recovers == 0 {
		t.Error("the sink was not asked to recover")
	}
	wantEachOnce(t, append(v.all(), rest.all()...), n)
	if !maps.Equal(before, files(t, last)) {
		t.Error("the savepoint was changed")
	}
}

// A savepoint of a job that goes on: what its owner starts from it repeats nothing that the savepoint holds and lacks nothing.
func TestASavepointWhileTheJobGoesOn(t *testing.T) {
	const n = 120_000
	v, dir := newVault(), t.TempDir()
	q := startNumbers(t, n, v, millrace.Config{Parallelism: 2, StateDir: filepath.Join(dir, "state"), CheckpointEvery: 100 * time.Millisecond})
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	both := make(chan error, 1)
	go func() { _, err := q.Savepoint(t.Context(), one); both <- err }()
	_, err := q.Savepoint(t.Context(), two)
	if err = errors.Join(err, <-both); err != nil {
		t.Fatal(err)
	}
	public := v.all()
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, numbers(n, v), millrace.Config{Parallelism: 2, StateDir: filepath.Join(dir, "state")})
	wantEachOnce(t, v.all(), n)
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	for _, savepoint := range []string{one, two} {
		rest := newVault()
		run(t, numbers(n, rest), millrace.Config{Parallelism: 3, FromSavepoint: savepoint})
		got := rest.all()
		slices.Sort(got)
		if len(slices.Compact(slices.Clone(got))) != len(got) || len(got) == n {
			t.Fatalf("%d records behind the savepoint, want fewer than all and none twice", len(got))
		}
		seen := slices.Compact(slices.Sorted(slices.Values(append(got, public...))))
		wantEachOnce(t, seen, n) // what is not behind it was public when Savepoint returned
	}
}

// Files are shared with the state directory where they can be, and are those of nobody else when that forgets them.
func TestSavepointFilesAreLinks(t *testing.T) {
	dir := t.TempDir()
	q := startNumbers(t, 60_000, newVault(), millrace.Config{Parallelism: 1, StateDir: filepath.Join(dir, "state"), RetainEpochs: 1000})
	savepoint := filepath.Join(dir, "a", "savepoint")
	if _, err := q.Savepoint(t.Context(), savepoint); err != nil {
		t.Fatal(err)
	}
	links := 0
	for name := range files(t, savepoint) {
		if !strings.HasPrefix(name, "run-") && !strings.HasPrefix(name, "slot-") {
			continue
		}
		here, errHere := os.Stat(filepath.Join(savepoint, name))
		there, errThere := os.Stat(filepath.Join(dir, "state", "checkpoints", name))
		if errHere != nil || errThere != nil || !os.SameFile(here, there) {
			t.Errorf("%s is no link: %v, %v", name, errHere, errThere)
		}
		links++
	}
	if links == 0 {
		t.Error("the savepoint has no runs")
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A savepoint that cannot be taken says so, leaves no directory, and the job goes on.
func TestASavepointThatIsNotTaken(t *testing.T) {
	const n = 60_000
	v, dir := newVault(), t.TempDir()
	q := startNumbers(t, n, v, millrace.Config{Parallelism: 2, StateDir: filepath.Join(dir, "state"), RestartMin: time.Millisecond})
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Savepoint(t.Context(), full); err == nil || !strings.Contains(err.Error(), `is not empty: it holds "mine"`) {
		t.Errorf("into a directory with something in it: %v", err)
	}
	to := filepath.Join(dir, "savepoint")
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, numbers(n, v), millrace.Config{Parallelism: 2, StateDir: filepath.Join(dir, "state")})
	wantEachOnce(t, v.all(), n)
	if _, err := q.Savepoint(t.Context(), to); err == nil || !strings.Contains(err.Error(), "no attempt that runs") {
		t.Errorf("of a job that has ended: %v", err)
	}
}

func TestWrongStartsFromASavepoint(t *testing.T) {
	const n = 60_000
	v, dir := newVault(), t.TempDir()
	state, savepoint := filepath.Join(dir, "state"), filepath.Join(dir, "savepoint")
	q := startNumbers(t, n, v, millrace.Config{Parallelism: 1, StateDir: state})
	if _, err := q.StopWithSavepoint(t.Context(), savepoint); err != nil {
		t.Fatal(err)
	}
	begun := millrace.Config{Parallelism: 1, StateDir: filepath.Join(dir, "begun"), FromSavepoint: savepoint}
	q = startNumbers(t, n, v, begun)
	id := q.ID()
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		job    *millrace.Job
		config millrace.Config
		is     error
		want   string
	}{
		"on a lineage of its own":   {numbers(n, v), millrace.Config{StateDir: state, FromSavepoint: savepoint}, checkpoint.ErrOrigin, "empty state directory"},
		"of no savepoint":           {numbers(n, v), millrace.Config{FromSavepoint: state}, checkpoint.ErrNotFound, "it is no savepoint"},
		"of nothing":                {numbers(n, v), millrace.Config{FromSavepoint: filepath.Join(dir, "none")}, fs.ErrNotExist, "none"},
		"at most once":              {numbers(n, v), millrace.Config{FromSavepoint: savepoint, Guarantee: millrace.AtMostOnce}, nil, "begins with empty state"},
		"with another topology":     {otherNumbers(v), millrace.Config{FromSavepoint: savepoint}, checkpoint.ErrPlan, `"vault"`},
		"as if it were a state dir": {numbers(n, v), millrace.Config{StateDir: savepoint, FromSavepoint: filepath.Join(dir, "none")}, fs.ErrNotExist, "none"},
	} {
		_, err := c.job.Start(t.Context(), c.config)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want one with %q", what, err, c.want)
		}
	}
	q, err := numbers(n, v).Start(t.Context(), begun) // the same command line again
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil || q.ID() != id {
		t.Fatalf("lineage %q, want %q; %v", q.ID(), id, err)
	}
	wantEachOnce(t, v.all(), n)
}

func otherNumbers(v sinks.Sink[int]) *millrace.Job {
	j := millrace.NewJob("numbers")
	j.From("numbers", sourceOfNumbers()).To("safe", v)
	return j
}

func sourceOfNumbers() sources.Source[int] {
	return sources.Generate(sources.GeneratorConfig{Splits: 3, Count: 10}, func(i int64) int { return int(i) })
}
