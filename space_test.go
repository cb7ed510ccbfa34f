package millrace_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
)

// disk is one that fills up again and again: at drawn moments it is full for a while.
type disk struct {
	mu    sync.Mutex
	r     *rand.Rand
	left  int // times that it fills up
	wait  int // so many looks at it find no change
	full  bool
	fills int
}

func (d *disk) free(string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wait == 0 {
		if d.full = !d.full && d.left > 0; d.full {
			d.left--
			d.fills++
		}
		d.wait = 2 + d.r.IntN(5)
	}
	d.wait--
	if d.full {
		return int64(d.r.IntN(64 << 20)), nil
	}
	return 1 << 40, nil
}

// A disk that fills up a hundred times, at any moment and longer than an attempt lives: epochs are abandoned, attempts fail, the job goes on
// and what it publishes is exact.
func TestAFullDiskIsOutlived(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		d := &disk{r: rand.New(rand.NewPCG(seed, 0)), left: 100, wait: 10}
		v, log, dir := newVault(), new(bytes.Buffer), t.TempDir()
		const n = 20_000
		job := func() *millrace.Job {
			j := millrace.NewJob("rate")
			j.From("rate", sources.First(sources.Rate(sources.RateConfig{RowsPerSecond: 1000, Partitions: 2}), n)).
				Map("value", func(r sources.RateRow) int { return int(r.Value) }).
				To("vault", v)
			return j
		}
		q, err := job().StartOn(t.Context(), millrace.Config{
			Parallelism: 2, StateDir: dir, RestartMin: time.Millisecond, RestartMax: 10 * time.Millisecond, RestartsMax: 20,
			CheckpointEvery: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil)),
		}, d.free)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEachOnce(t, v.all(), n)
		if d.fills != 100 || q.Progress().Restarts == 0 {
			t.Errorf("the disk was full %d times, want 100; %d restarts, want some", d.fills, q.Progress().Restarts)
		}
		if want := "too little disk space"; !strings.Contains(log.String(), "epoch abandoned") || !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say that epochs were abandoned for %s", want)
		}
	})
}

// A job whose disk stays full ends within its limits, with what is to be done; the next one goes on from the newest complete epoch.
func TestADiskThatStaysFullFailsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, dir, full := newVault(), t.TempDir(), false
		var mu sync.Mutex
		free := func(string) (int64, error) {
			mu.Lock()
			defer mu.Unlock()
			if full {
				return 1 << 20, nil
			}
			return 1 << 40, nil
		}
		const n = 3000
		job := func() *millrace.Job {
			j := millrace.NewJob("rate")
			j.From("rate", sources.First(sources.Rate(sources.RateConfig{RowsPerSecond: 1000, Partitions: 1}), n)).
				Map("value", func(r sources.RateRow) int { return int(r.Value) }).
				To("vault", v)
			return j
		}
		q, err := job().StartOn(t.Context(), millrace.Config{Parallelism: 1, StateDir: dir, RestartsMax: 2, EpochFailuresMax: 2}, free)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		mu.Lock()
		full = true
		mu.Unlock()
		err = q.Await(t.Context())
		for _, want := range []string{"2 epochs abandoned in a row", "too little disk space", "free space on its disk"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
		if q, err = job().Start(t.Context(), millrace.Config{Parallelism: 1, StateDir: dir}); err != nil {
			t.Fatal(err)
		}
		if err := q.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEachOnce(t, v.all(), n)
	})
}
