package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/workload"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// load is what a contestant counts.
type load struct {
	Keys   int
	Rate   int64  // records a second; 0: as many as it goes
	Suffix string // rows of the keys that end so leave the count
}

const (
	tasks      = 2 // of source and count; a worker has one of each
	stopWithin = time.Minute
)

// rowsOf is how many records there are for each row that leaves the count: keys end in decimal digits.
func (l load) rowsOf() int64 {
	n := int64(1)
	for range l.Suffix {
		n *= 10
	}
	return n
}

// event is a record, as in the benchmarks of one process.
type event struct {
	Key string
	Val int64
}

// row is a key's new count.
type row struct {
	Key   string
	Count int64
}

// draw is record i: its key looks drawn at random and depends on i alone.
func draw(keys []string, i int64) event {
	x := uint64(i) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x ^= x >> 27
	return event{Key: keys[x%uint64(len(keys))], Val: i}
}

// count is the job. Of its counts few leave the workers when the load says so: what is measured then is the way to the count.
func (l load) count(m *meter) *millrace.Job {
	j := millrace.NewJob("keyed-count")
	keys := workload.Keys(l.Keys)
	j.From("events", sources.Generate(sources.GeneratorConfig{Splits: tasks, PerSecond: l.Rate}, func(i int64) event { return draw(keys, i) })).
		KeyBy(func(e event) string { return e.Key }).
		Count("count", state.Forever).
		Stream("rows", func(key string, n int64) row { return row{key, n} }).
		Filter("shown", func(r row) bool { return strings.HasSuffix(r.Key, l.Suffix) }).
		To("sink", m)
	return j
}

// config is the job's, in all processes: the defaults, with checkpoints every second.
func config() millrace.Config {
	return millrace.Config{
		Parallelism: tasks,
		Operators:   map[string]millrace.OperatorConfig{"sink": {Parallelism: 1}},
		RestartsMax: -1, // a benchmark that fails should say so
	}
}

// newJob starts the job, at home on workers.
func newJob(r role) (p part, err error) {
	c, undo := config(), []func() error{}
	p.close = func() (err error) {
		for i := range undo {
			err = errors.Join(err, undo[len(undo)-1-i]())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if c.StateDir, err = os.MkdirTemp("", "millrace-remote-"); err != nil {
		return p, err
	}
	undo = append(undo, func() error { return os.RemoveAll(c.StateDir) })
	if r.Kind == kindHome {
		conn, err := connect(r.URL)
		if err != nil {
			return p, err
		}
		k, err := cluster.Coordinate(cluster.Config{Conn: conn}, cluster.CoordinatorConfig{Job: "keyed-count", Workers: workers})
		if err != nil {
			conn.Close()
			return p, err
		}
		c.Cluster = k
		undo = append(undo, func() error { k.Close(); conn.Close(); return nil })
	}
	m := newMeter()
	q, err := r.Load.count(m).Start(context.Background(), c)
	if err != nil {
		return p, err
	}
	failed := make(chan error, 1)
	p.begin, p.tell, p.failed = m.begin, m.tell, failed
	go func() {
		<-q.Done()
		failed <- fmt.Errorf("the job ended before it was stopped: %w", q.Err())
	}()
	undo = append(undo, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		return errors.Join(q.Stop(ctx), q.Err())
	})
	return p, nil
}

// newWorker runs tasks of the job for whoever asks.
func newWorker(r role) (part, error) {
	conn, err := connect(r.URL)
	if err != nil {
		return part{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- cluster.Serve(ctx, cluster.Config{Conn: conn}, "", func(ctx context.Context, o cluster.Offer) error {
			return r.Load.count(newMeter()).Work(ctx, config(), o.Wire, o.Link)
		})
	}()
	return part{close: func() error {
		cancel()
		err := <-ended
		conn.Close()
		return err
	}}, nil
}

func connect(url string) (*nats.Conn, error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	return conn, nil
}
