package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/nats/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a worker until the test ends, or until the function that it gives is called.
func serve(t *testing.T, c cluster.Config, name string, run func(ctx context.Context, o cluster.Offer) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- cluster.Serve(ctx, c, name, run) }()
	stop = func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
		over <- nil
	}
	t.Cleanup(stop)
	return stop
}

func coordinate(t *testing.T, c cluster.Config, workers int) *cluster.Coordinator {
	t.Helper()
	k, err := cluster.Coordinate(c, cluster.CoordinatorConfig{Job: "job", Args: []string{"--records", "7"}, Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// echo sends back what comes.
func echo(_ context.Context, o cluster.Offer) error {
	for {
		e, err := o.Link.Receive()
		if err != nil {
			return nil
		}
		o.Link.Send(e)
	}
}

// Envelopes of any size come in order, each once, both ways.
func TestEnvelopesComeInOrder(t *testing.T) {
	s := natstest.Start(t, nil)
	serve(t, cluster.Config{Conn: s.Connect(t).Conn()}, "one", func(ctx context.Context, o cluster.Offer) error {
		if o.Job != "job" || len(o.Args) != 2 {
			return errors.New("not what was offered")
		}
		return echo(ctx, o)
	})
	links, err := coordinate(t, cluster.Config{Conn: s.Connect(t).Conn()}, 1).Muster(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	l := links[0]
	const n = 100
	for i := range n {
		l.Send(&actors.Envelope{Kind: actors.MsgBlocks, N: int64(i), Blocks: []delta.Block{{Operator: "o", State: "s", Data: make([]byte, i*i*60)}}})
		if err := l.Room(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		e, err := l.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if e.N != int64(i) || len(e.Blocks[0].Data) != i*i*60 {
			t.Fatalf("envelope %d with %d bytes, want %d with %d", e.N, len(e.Blocks[0].Data), i, i*i*60)
		}
	}
}

// A worker that ends, or whose run fails, says so at once, and why; it is free again.
func TestWorkersSayWhyTheyEnd(t *testing.T) {
	s := natstest.Start(t, nil)
	serve(t, cluster.Config{Conn: s.Connect(t).Conn()}, "one", func(context.Context, cluster.Offer) error { return errors.New("no such topology") })
	k := coordinate(t, cluster.Config{Conn: s.Connect(t).Conn()}, 1)
	for range 3 {
		links, err := k.Muster(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := links[0].Receive(); !errors.Is(err, actors.ErrLinkEnded) || !strings.Contains(err.Error(), "no such topology") {
			t.Fatalf("error %v, want the worker's", err)
		}
	}
}

// A worker that is silent is lost in time, and so is a coordinator for its worker.
func TestSilenceIsNoticed(t *testing.T) {
	s := natstest.Start(t, nil)
	ended := make(chan error, 1)
	worker := s.Connect(t).Conn()
	serve(t, cluster.Config{Conn: worker}, "one", func(ctx context.Context, o cluster.Offer) error {
		_, err := o.Link.Receive()
		ended <- err
		return nil
	})
	k := coordinate(t, cluster.Config{Conn: s.Connect(t).Conn()}, 1)
	links, err := k.Muster(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	worker.Close() // nothing of it is heard, and nothing comes to it
	began := time.Now()
	if _, err := links[0].Receive(); err == nil {
		t.Fatal("the coordinator missed nothing")
	}
	t.Logf("noticed after %v", time.Since(began))
	if err := <-ended; err == nil {
		t.Fatal("the worker missed nothing")
	}
}

// Two jobs share workers: each has its own, and who comes too late waits for one that is free.
func TestWorkersHaveOneJob(t *testing.T) {
	s := natstest.Start(t, nil)
	c := cluster.Config{Conn: s.Connect(t).Conn()}
	serve(t, c, "one", echo)
	serve(t, c, "two", echo)
	first, second := coordinate(t, c, 2), coordinate(t, c, 1)
	if _, err := first.Muster(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := second.Muster(ctx, "second"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "0 of 1 workers") {
		t.Fatalf("error %v, want none left", err)
	}
	first.Close()
	if _, err := second.Muster(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
}

// When the server comes back, on the same port, links are made again.
func TestServerRestarts(t *testing.T) {
	s := natstest.Start(t, nil)
	serve(t, cluster.Config{Conn: s.Connect(t).Conn()}, "one", echo)
	k := coordinate(t, cluster.Config{Conn: s.Connect(t).Conn()}, 1)
	links, err := k.Muster(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := links[0].Receive(); err == nil {
		t.Fatal("the loss of the server was not noticed")
	}
	s.Again(t)
	if links, err = k.Muster(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	links[0].Send(&actors.Envelope{Kind: actors.MsgSpawn, N: 5})
	if e, err := links[0].Receive(); err != nil || e.N != 5 {
		t.Fatalf("%v, %v", e, err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	s := natstest.Start(t, nil)
	conn := s.Connect(t).Conn()
	for name, c := range map[string]cluster.Config{
		"no connection": {},
		"no subject":    {Conn: conn, Prefix: "a.>"},
		"hasty":         {Conn: conn, BeatEvery: time.Second, LostAfter: time.Second},
	} {
		if _, err := cluster.Coordinate(c, cluster.CoordinatorConfig{Workers: 1}); err == nil {
			t.Errorf("%s: accepted by a coordinator", name)
		}
		if err := cluster.Serve(t.Context(), c, "", echo); err == nil {
			t.Errorf("%s: accepted by a worker", name)
		}
	}
	if _, err := cluster.Coordinate(cluster.Config{Conn: conn}, cluster.CoordinatorConfig{}); err == nil {
		t.Error("no workers: accepted")
	}
}
