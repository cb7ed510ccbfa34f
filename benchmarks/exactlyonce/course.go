package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/kafka/topics"
	"github.com/millrace-io/millrace/sinks/kafkasink"
)

// recordsMax is how many records are copied for a figure of throughput, at most: 400 MB.
const recordsMax = 2_000_000

// course is where the contestants meet: the broker and the topics on it.
type course struct {
	brokers    []string
	partitions int
	rate       int64
	records    int64
	window     time.Duration
	stateDir   string

	topics *topics.Set
	prefix string // of the topics of this run
	runs   int
}

// round is one round: a window of each contestant and a copy by each job, close together in time.
type round struct {
	null                  delay
	atLeastOnce           delay
	exactlyOnce           delay
	atLeastOnceThroughput harness.Sample
	exactlyOnceThroughput harness.Sample
}

// nullP99Max is the p99 of the null pipeline above which a round says more about the machine than about the contestants.
const nullP99Max = 10 * time.Millisecond

// counts says whether the machine and the broker were calm enough for the round's figures.
func (r round) counts() bool { return r.null.whole.quantile(0.99) <= nullP99Max }

// prepare connects and fills the topic that is copied.
func (c *course) prepare(ctx context.Context) (err error) {
	c.prefix = fmt.Sprintf("bench-%d-%d-", os.Getpid(), time.Now().UnixNano())
	if c.topics, err = topics.Open(c.brokers, settings()); err != nil {
		return err
	}
	if err := c.topics.Create(ctx, c.full(), c.partitions, nil); err != nil {
		return err
	}
	return c.fill(ctx, c.full(), c.records)
}

// full is the topic that is copied.
func (c *course) full() string { return c.prefix + "full" }

// topic makes a new topic. Its records bear the time at which the broker appended them.
func (c *course) topic(ctx context.Context) (string, error) {
	c.runs++
	name := fmt.Sprintf("%s%d", c.prefix, c.runs)
	return name, c.topics.Create(ctx, name, c.partitions, map[string]string{"message.timestamp.type": "LogAppendTime"})
}

// measure measures all rounds and writes a line for each.
func (c *course) measure(ctx context.Context, rounds int, progress io.Writer) ([]round, error) {
	all := make([]round, rounds)
	for i := range all {
		if err := c.round(ctx, i, &all[i]); err != nil {
			return nil, fmt.Errorf("round %d of %d: %w", i+1, rounds, err)
		}
		fmt.Fprintf(progress, "round %d/%d%s\n", i+1, rounds, all[i])
	}
	return all, nil
}

// round measures the null pipeline first; every other round the jobs change places behind it.
func (c *course) round(ctx context.Context, i int, r *round) (err error) {
	runtime.GC()
	if r.null, err = c.null(ctx); err != nil {
		return fmt.Errorf("null pipeline: %w", err)
	}
	type contestant struct {
		guarantee  kafkasink.Guarantee
		delay      *delay
		throughput *harness.Sample
	}
	order := []contestant{
		{kafkasink.AtLeastOnce, &r.atLeastOnce, &r.atLeastOnceThroughput},
		{kafkasink.ExactlyOnce, &r.exactlyOnce, &r.exactlyOnceThroughput},
	}
	if i%2 == 1 {
		order[0], order[1] = order[1], order[0]
	}
	for _, x := range order {
		runtime.GC()
		if *x.delay, err = c.latency(ctx, x.guarantee); err != nil {
			return fmt.Errorf("%v, latency: %w", x.guarantee, err)
		}
	}
	for _, x := range order {
		runtime.GC()
		if *x.throughput, err = c.throughput(ctx, x.guarantee); err != nil {
			return fmt.Errorf("%v, throughput: %w", x.guarantee, err)
		}
	}
	return nil
}

// String is the line of a finished round.
func (r round) String() string {
	s := fmt.Sprintf("  null %v  at-least-once %v %.0f/s  exactly-once %v (written %v, then visible %v) %.0f/s", r.null.whole,
		r.atLeastOnce.whole, r.atLeastOnceThroughput.PerSecond(),
		r.exactlyOnce.whole, r.exactlyOnce.written, r.exactlyOnce.visible, r.exactlyOnceThroughput.PerSecond())
	if !r.counts() {
		s += fmt.Sprintf("  DOES NOT COUNT: the null pipeline has p99 above %v", nullP99Max)
	}
	return s
}

// close removes the topics of this run.
func (c *course) close() error { return c.topics.Close() }
