package millrace_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// gang is a cluster whose workers live in the test's process: their records go through a NATS server, what coordinator and workers tell each other through pipes.
type gang struct {
	t     *testing.T
	wire  millrace.Wire
	build func() *millrace.Job
	c     millrace.Config

	mu    sync.Mutex
	size  int
	links []actors.Link
	over  []chan struct{}
	works sync.WaitGroup
}

func newGang(t *testing.T, size int, c millrace.Config, build func() *millrace.Job) *gang {
	t.Helper()
	g := &gang{t: t, wire: millrace.Wire{Conn: natstest.Start(t, nil).Connect(t).Conn(), Prefix: "test"}, build: build, c: c, size: size}
	t.Cleanup(g.works.Wait)
	return g
}

func (g *gang) Wire() millrace.Wire { return g.wire }

// Muster implements millrace.Cluster: workers that have ended are replaced.
func (g *gang) Muster(context.Context, string) ([]actors.Link, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.links, g.over = g.links[:min(g.size, len(g.links))], g.over[:min(g.size, len(g.over))]
	for i := range g.links {
		select {
		case <-g.over[i]:
			g.links[i], g.over[i] = g.hire()
		default:
		}
	}
	for len(g.links) < g.size {
		l, over := g.hire()
		g.links, g.over = append(g.links, l), append(g.over, over)
	}
	return slices.Clone(g.links), nil
}

func (g *gang) hire() (actors.Link, chan struct{}) {
	far, near := actors.Pipe("coordinator", "worker")
	over := make(chan struct{})
	g.works.Go(func() {
		defer close(over)
		if err := g.build().Work(context.Background(), g.c, g.wire, near); err != nil {
			g.t.Logf("a worker ended: %v", err)
		}
	})
	return far, over
}

// kill ends a worker as the loss of its link does.
func (g *gang) kill(i int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.links[i].Close(nil)
}

// perKeyJob counts numbers by key into v, in two shuffles.
func perKeyJob(v *vault, records int64) *millrace.Job { return pacedPerKeyJob(v, records, 0) }

// pacedPerKeyJob lasts for as long as its records take at a rate, 0 for none.
func pacedPerKeyJob(v *vault, records, perSecond int64) *millrace.Job {
	j := millrace.NewJob("counted")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 3, Count: records, PerSecond: perSecond}, func(i int64) int { return int(i) })).
		Rebalance("deal").Map("same", func(n int) int { return n }).
		KeyBy(func(n int) int { return n % pressedKeys }).
		Count("count", state.Forever).
		Stream("changes", func(key int, n int64) int { return key*1_000_000 + int(n) }).
		To("vault", v)
	return j
}

// A job whose tasks run on workers gives what it gives in one process.
func TestClusterCounts(t *testing.T) {
	const records = 20_000
	v := newVault()
	c := millrace.Config{StateDir: t.TempDir(), Parallelism: 4, RestartsMax: -1}
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
	if n := q.Progress().Operators; len(n) == 0 {
		t.Error("no operators in the progress")
	}
}

// wantPerKey wants of each key the counts 1, 2, 3 … in order, n rows in all.
func wantPerKey(t *testing.T, got []int, n int) {
	t.Helper()
	next := map[int]int{}
	for i, row := range got {
		key, count := row/1_000_000, row%1_000_000
		if next[key]++; count != next[key] {
			t.Fatalf("row %d: count %d of key %d, want %d", i, count, key, next[key])
		}
	}
	if len(got) != n {
		t.Fatalf("%d rows, want %d", len(got), n)
	}
}

// Workers are lost at random, and their number changes: nothing is lost, repeated or out of order.
func TestClusterLosesWorkers(t *testing.T) {
	const records, perSecond = 60_000, 25_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	v := newVault()
	c := millrace.Config{StateDir: t.TempDir(), Parallelism: 3, BatchRecords: 16, RestartMin: time.Millisecond, RestartMax: 10 * time.Millisecond, RestartsMax: 100}
	g := newGang(t, 3, c, func() *millrace.Job { return pacedPerKeyJob(newVault(), records, perSecond) })
	c.Cluster = g
	q, err := pacedPerKeyJob(v, records, perSecond).Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		select {
		case <-v.became:
		case <-q.Done():
			t.Log("ended before the last kill")
		}
		g.mu.Lock()
		g.size = 1 + rng.IntN(3)
		n := len(g.links)
		g.mu.Unlock()
		g.kill(rng.IntN(n))
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d restarts", q.Progress().Restarts)
	if q.Progress().Restarts == 0 {
		t.Error("no restart: the test is of nothing")
	}
	wantPerKey(t, v.all(), records)
}

// A worker that is another program, or builds another topology, is refused before any record flows.
func TestClusterRefusesOtherPlans(t *testing.T) {
	c := millrace.Config{StateDir: t.TempDir(), Parallelism: 2, RestartsMax: -1}
	g := newGang(t, 1, c, func() *millrace.Job {
		j := millrace.NewJob("counted")
		j.From("numbers", sources.Generate(sources.GeneratorConfig{Count: 1}, func(i int64) int { return int(i) })).To("vault", newVault())
		return j
	})
	c.Cluster = g
	_, err := perKeyJob(newVault(), 10).Start(t.Context(), c)
	if err == nil || errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want a refusal with both plans", err)
	}
	t.Log(err)
}
