package millrace_test

import (
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace"
)

// Whatever the configuration, workers give what one process gives.
func TestClusterUnderEachConfiguration(t *testing.T) {
	const records = 5_000
	for name, change := range map[string]func(*millrace.Config){
		"badger":        func(c *millrace.Config) { c.State = millrace.Badger },
		"at-least-once": func(c *millrace.Config) { c.Guarantee = millrace.AtLeastOnce },
		"available now": func(c *millrace.Config) { c.Trigger, c.MaxRecordsPerBatch = millrace.AvailableNow(), 300 },
		"micro-batch":   func(c *millrace.Config) { c.Trigger, c.MaxRecordsPerBatch = millrace.MicroBatch(), 500 },
		"small batches": func(c *millrace.Config) { c.BatchRecords, c.LaneBatches = 1, 1 },
		"unaligned":     func(c *millrace.Config) { c.UnalignAfter = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			c := millrace.Config{StateDir: t.TempDir(), Parallelism: 3, RestartsMax: -1}
			change(&c)
			g := newGang(t, 2, c, func() *millrace.Job { return perKeyJob(newVault(), records) })
			c.Cluster = g
			q, err := perKeyJob(v, records).Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Await(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantPerKey(t, v.all(), records)
		})
	}
}

// A savepoint of a job on workers is one of the job: one process goes on from it with another parallelism, and so do workers again.
func TestClusterSavepoints(t *testing.T) {
	const records, perSecond = 30_000, 25_000
	v, to := newVault(), filepath.Join(t.TempDir(), "savepoint")
	c := millrace.Config{StateDir: t.TempDir(), Parallelism: 3, BatchRecords: 16, RestartsMax: -1}
	g := newGang(t, 2, c, func() *millrace.Job { return pacedPerKeyJob(newVault(), records, perSecond) })
	with := c
	with.Cluster = g
	q, err := pacedPerKeyJob(v, records, perSecond).Start(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	<-v.became
	if _, err := q.StopWithSavepoint(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	some := len(v.all())
	t.Logf("%d rows before the savepoint", some)

	alone := millrace.Config{StateDir: t.TempDir(), FromSavepoint: to, Parallelism: 2, RestartsMax: -1}
	if q, err = pacedPerKeyJob(v, records, perSecond).Start(t.Context(), alone); err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantPerKey(t, v.all(), records)
}
