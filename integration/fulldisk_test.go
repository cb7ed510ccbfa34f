//go:build integration && linux

package integration

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

const (
	fillKeys    = 5000
	fillPatient = 30 * time.Second
)

// fill is a job on a disk of its own that others fill up.
type fill struct {
	*millrace.Query
	r        *rand.Rand
	dir      string
	troubles chan string // warnings of the engine

	mu     sync.Mutex
	counts map[int64]int64
}

// smallDisk mounts a file system of so many bytes, which needs the rights for it.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount a small disk, as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (f *fill) Open(context.Context, sinks.Instance) (sinks.Writer[millrace.Pair[int64, int64]], error) {
	return f, nil
}
func (f *fill) Flush(context.Context) error { return nil }
func (f *fill) Close() error                { return nil }
func (f *fill) Write(_ context.Context, b *flow.Batch[millrace.Pair[int64, int64]]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range b.Records {
		f.counts[b.Records[i].Value.Key] = b.Records[i].Value.Value
	}
	return nil
}

// Handle, Enabled, WithAttrs and WithGroup are those of a slog.Handler.
func (f *fill) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	select {
	case f.troubles <- text:
	default:
	}
	return nil
}
func (f *fill) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (f *fill) WithAttrs([]slog.Attr) slog.Handler           { return f }
func (f *fill) WithGroup(string) slog.Handler                { return f }

func startFill(t *testing.T, disk string, c millrace.Config) *fill {
	t.Helper()
	f := &fill{r: rand.New(rand.NewPCG(seed(t), 0)), dir: disk, troubles: make(chan string, 1000), counts: map[int64]int64{}}
	j := millrace.NewJob("fill")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{PerSecond: 100_000}, func(i int64) int64 { return i % fillKeys })).
		KeyBy(func(k int64) int64 { return k }).
		Count("count", state.Forever).
		To("out", f, millrace.Update)
	c.StateDir, c.Parallelism, c.Logger = filepath.Join(disk, "state"), 2, slog.New(f)
	c.CheckpointEvery, c.CommitEvery = 50*time.Millisecond, 10*time.Millisecond
	c.RestartMin, c.RestartMax, c.RestartsMax = time.Millisecond, 20*time.Millisecond, 1<<30
	q, err := j.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	f.Query = q
	return f
}

// goesOn waits until so many more epochs are complete.
func (f *fill) goesOn(t *testing.T, epochs int) {
	t.Helper()
	before := f.Progress().Epoch
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(fillPatient); f.Progress().Epoch < before+flow.Epoch(epochs); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%v, epoch %d: no epoch for %v although there is space", f.Status(), f.Progress().Epoch, fillPatient)
		case <-f.Done():
			t.Fatalf("the job ended: %v, %v", f.Status(), f.Err())
		}
	}
}

// full fills the disk but for so many bytes, for as long as the job takes to complain so often.
func (f *fill) full(t *testing.T, leave int64, complaints int) {
	t.Helper()
	for len(f.troubles) > 0 {
		<-f.troubles
	}
	path := filepath.Join(f.dir, "ballast")
	ballast, err := os.Create(path)
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(ballast.Close(), os.Remove(path)); err != nil {
			t.Error(err)
		}
	}()
	late := time.After(fillPatient)
	for size, seen := int64(0), 0; seen < complaints; {
		var s syscall.Statfs_t
		if err := syscall.Statfs(f.dir, &s); err != nil {
			t.Fatal(err)
		}
		if more := int64(s.Bavail)*s.Bsize - leave; more > 0 { // a fold or an epoch may have made room meanwhile
			if err := syscall.Fallocate(int(ballast.Fd()), 0, size, more); err == nil {
				size += more
			} else if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}
		select {
		case text := <-f.troubles:
			if strings.Contains(text, "space") {
				seen++
			}
		case <-time.After(time.Millisecond):
		case <-late:
			t.Fatalf("%v, epoch %d: no complaint for %v about a disk with %d bytes", f.Status(), f.Progress().Epoch, fillPatient, leave)
		case <-f.Done():
			t.Fatalf("the job ended: %v, %v", f.Status(), f.Err())
		}
	}
}

// end stops the job. What it has counted is a prefix of the numbers.
func (f *fill) end(t *testing.T) {
	t.Helper()
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, c := range f.counts {
		n += c
	}
	for k := range int64(fillKeys) {
		if want := (n - k + fillKeys - 1) / fillKeys; f.counts[k] != want {
			t.Fatalf("key %d was counted %d times, want %d of %d records", k, f.counts[k], want, n)
		}
	}
	t.Logf("%d records, %d epochs, %d restarts", n, f.Progress().Epoch, f.Progress().Restarts)
}

// A disk is filled a hundred times at random moments, to the last byte or below the reserve, for an epoch or for several attempts.
func TestFullDisk(t *testing.T) {
	const reserve = 4 << 20
	f := startFill(t, smallDisk(t, "size=32m"), millrace.Config{FreeBytesMin: reserve})
	for range 100 {
		f.goesOn(t, f.r.IntN(8))
		leave := int64(0)
		if f.r.IntN(2) == 0 {
			leave = f.r.Int64N(reserve)
		}
		f.full(t, leave, 1+f.r.IntN(6))
	}
	f.goesOn(t, 10)
	f.end(t)
}

// Badger's working store shares the disk: on one without any space it would die of a signal, so it stops long before.
func TestFullDiskUnderBadger(t *testing.T) {
	f := startFill(t, smallDisk(t, "size=400m"), millrace.Config{State: millrace.Badger, CacheBytes: 2 << 20, FreeBytesMin: 8 << 20})
	for range 20 {
		f.goesOn(t, f.r.IntN(8))
		f.full(t, 2<<20+f.r.Int64N(6<<20), 1+f.r.IntN(3))
	}
	f.goesOn(t, 10)
	f.end(t)
}
