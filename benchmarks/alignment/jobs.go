package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

const (
	skew        = 10 // one input brings so many times what another does, and one key in two is hot
	laneBatches = 64
	keys        = 1000
	joinTTL     = 10 * time.Millisecond
)

// hot gives one record in two to a key of its own.
func hot(n int64) int64 {
	if n%2 == 0 {
		return 0
	}
	return n % keys
}

// skewed runs four shuffled inputs into a count, and two of them also into a join, without bound and for d.
func (r *report) skewed(ctx context.Context, d time.Duration) error {
	j := millrace.NewJob("skewed")
	input := func(id string, perSecond int64) millrace.Stream[int64] {
		return j.From(id, sources.Generate(sources.GeneratorConfig{Splits: 2, PerSecond: perSecond}, func(i int64) int64 { return i })).Rebalance(id + "-dealt")
	}
	const slow = 50_000
	a, b, c, fast := input("a", slow), input("b", slow), input("c", slow), input("fast", skew*slow)
	fast.Union("all", a, b, c).KeyBy(hot).Count("count", state.Forever).
		Stream("changes", func(key, n int64) int64 { return n }).To("counts", sinks.Discard[int64]())
	a.KeyBy(func(n int64) int64 { return n }).JoinAll("pairs", b.KeyBy(func(n int64) int64 { return n }), joinTTL, func(l, _ int64) int64 { return l }).
		To("joined", sinks.Discard[int64]())
	q, stop, err := begin(ctx, j, millrace.Config{LaneBatches: laneBatches, CommitEvery: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	defer stop()
	time.AfterFunc(d, stop)
	watch(q, func(e millrace.EpochProgress) {
		r.aligned = append(r.aligned, e.Alignment)
		if e.Unaligned {
			r.Unaligned++
		}
	})
	if err := q.Err(); err != nil {
		return err
	}
	for _, o := range q.Progress().Operators {
		if o.ID == "fast" || o.ID == "a" || o.ID == "b" || o.ID == "c" {
			r.RecordsPerSec += float64(o.RecordsIn) / d.Seconds()
		}
	}
	return nil
}

// begin starts a job that stop stops.
func begin(ctx context.Context, j *millrace.Job, c millrace.Config) (*millrace.Query, context.CancelFunc, error) {
	ctx, stop := context.WithCancel(ctx)
	q, err := j.Start(ctx, c)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return q, stop, nil
}

// slowSink takes a batch in some time, and fails once when it is told to. Its writers' rows are kept when their epoch is complete.
type slowSink struct {
	perBatch time.Duration
	fail     atomic.Bool

	mu   sync.Mutex
	rows map[int64][]int64 // prepared, by token
	next int64
	seen map[int64]int64 // by key: the newest count that was committed
	good bool            // each key counted on without a gap or a step back
	n    int64           // rows committed
}

func (s *slowSink) Commits() sinks.Cadence { return sinks.PerEpoch }

func (s *slowSink) Open(context.Context, sinks.Instance) (sinks.Writer[[2]int64], error) {
	return &slowWriter{s: s}, nil
}

func (s *slowSink) Recover(_ context.Context, _ sinks.Instance, prepared []sinks.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range prepared {
		s.publish(p.Token)
	}
	clear(s.rows)
	return nil
}

func (s *slowSink) publish(token []byte) {
	var id int64
	if _, err := fmt.Sscan(string(token), &id); err != nil {
		s.good = false
	}
	for i, rows := 0, s.rows[id]; i+1 < len(rows); i += 2 {
		if key, n := rows[i], rows[i+1]; n != s.seen[key]+1 {
			s.good = false
		} else {
			s.seen[key] = n
		}
		s.n++
	}
	delete(s.rows, id)
}

type slowWriter struct {
	s    *slowSink
	rows []int64
}

var errPressed = errors.New("the sink fails in the middle of the measurement, as it should")

func (w *slowWriter) Write(_ context.Context, b *flow.Batch[[2]int64]) error {
	if w.s.fail.CompareAndSwap(true, false) {
		return errPressed
	}
	time.Sleep(w.s.perBatch)
	for i := range b.Records {
		w.rows = append(w.rows, b.Records[i].Value[0], b.Records[i].Value[1])
	}
	return nil
}

func (w *slowWriter) Flush(context.Context) error { return nil }
func (w *slowWriter) Close() error                { return nil }

func (w *slowWriter) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.next++
	w.s.rows[w.s.next] = w.rows
	w.rows = nil
	return fmt.Append(nil, w.s.next), nil
}

func (w *slowWriter) Commit(_ context.Context, tokens [][]byte) error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, t := range tokens {
		w.s.publish(t)
	}
	return nil
}

// counting is the keyed count that is pressed: [key, count] in order by key.
func counting(records int64, to sinks.Sink[[2]int64]) *millrace.Job {
	j := millrace.NewJob("pressed")
	j.From("numbers", sources.Generate(sources.GeneratorConfig{Splits: 2, Count: records}, func(i int64) int64 { return i })).Rebalance("dealt").
		KeyBy(hot).Count("count", state.Forever).Stream("changes", func(key, n int64) [2]int64 { return [2]int64{key, n} }).To("sink", to)
	return j
}

// pressed runs the count into a sink that takes a hundredth of what the job can give, fails it, and goes on with other numbers of tasks.
func (r *report) pressed(ctx context.Context, records int64) (err error) {
	dir, err := os.MkdirTemp("", "millrace-alignment-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	began := time.Now()
	free, stop, err := begin(ctx, counting(20*records, sinks.Discard[[2]int64]()), millrace.Config{LaneBatches: laneBatches})
	if err != nil {
		return err
	}
	<-free.Done()
	stop()
	r.UnpressedPerSec = float64(20*records) / time.Since(began).Seconds()

	c := millrace.Config{
		StateDir: dir, LaneBatches: laneBatches, BatchRecords: 64, CommitEvery: 20 * time.Millisecond, RestartsMax: -1,
		Operators: map[string]millrace.OperatorConfig{"sink": {Parallelism: 1}},
	}
	s := &slowSink{rows: map[int64][]int64{}, seen: map[int64]int64{}, good: true}
	s.perBatch = time.Duration(float64(c.BatchRecords) / (r.UnpressedPerSec / 100) * float64(time.Second))
	began = time.Now()
	for _, parallelism := range []int{2, 3, 1} {
		c.Parallelism = parallelism
		if err := r.press(ctx, s, c, records, parallelism != 1); err != nil {
			return err
		}
	}
	r.PressedPerSec = float64(records) / time.Since(began).Seconds()
	r.Exact = r.Exact && s.good && s.n == records
	return nil
}

// press runs the job until it ends, or until the sink fails after some epochs.
func (r *report) press(ctx context.Context, s *slowSink, c millrace.Config, records int64, fails bool) error {
	q, stop, err := begin(ctx, counting(records, s), c)
	if err != nil {
		return err
	}
	defer stop()
	epochs := 0
	watch(q, func(e millrace.EpochProgress) {
		r.PressedMaxMS = max(r.PressedMaxMS, ms(e.Duration))
		if r.PressedEpochs++; fails {
			if epochs++; epochs == 25 {
				s.fail.Store(true)
			}
		}
	})
	for _, o := range q.Progress().Operators {
		r.ChannelRecords += o.ChannelRecords
	}
	if err := q.Err(); err != nil && !errors.Is(err, errPressed) {
		return err
	}
	return nil
}
