package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// checkpointEvery is how often bases are folded, in both jobs. The time between epochs is the default of each: 20 ms with transactions,
// and this without.
const checkpointEvery = 10 * time.Second

// start starts the job that copies one topic to another; done removes its state behind it.
func (c *course) start(ctx context.Context, g kafkasink.Guarantee, in, out string, bounded bool) (q *millrace.Query, done func() error, err error) {
	dir, err := os.MkdirTemp(c.stateDir, "millrace-exactlyonce-")
	if err != nil {
		return nil, nil, err
	}
	done = func() error { return os.RemoveAll(dir) }
	job := millrace.NewJob("kafka-copy")
	src := kafkasource.Config{Brokers: c.brokers, Topics: []string{in}, Bounded: bounded, ClientID: clientID}
	sink := kafkasink.Config{Brokers: c.brokers, Topic: out, Guarantee: g, ClientID: clientID}
	job.From("in", kafkasource.Messages(src)).To("out", kafkasink.Messages(sink))
	q, err = job.Start(ctx, millrace.Config{
		StateDir: dir, CheckpointEvery: checkpointEvery, Parallelism: c.partitions,
		RestartsMax: -1, // a benchmark that fails should say so
	})
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return q, done, nil
}

// throughput copies the full topic. Start, last epoch and end of the job are in the window.
func (c *course) throughput(ctx context.Context, g kafkasink.Guarantee) (s harness.Sample, err error) {
	out, err := c.topic(ctx)
	if err != nil {
		return s, err
	}
	u := harness.StartUsage()
	q, done, err := c.start(ctx, g, c.full(), out, true)
	if err != nil {
		return s, err
	}
	<-q.Done() // ctx stops it
	s = u.Until(c.records)
	if err := errors.Join(q.Err(), context.Cause(ctx), done()); err != nil {
		return s, err
	}
	m, err := c.newMeter(out, 0)
	if err != nil {
		return s, err
	}
	err = m.await(ctx, c.records)
	return s, errors.Join(err, m.close(), c.topics.Remove(out))
}

// null measures a producer, a topic and a meter, with nothing between.
func (c *course) null(ctx context.Context) (d delay, err error) {
	topic, err := c.topic(ctx)
	if err != nil {
		return d, err
	}
	d, err = c.observe(ctx, topic, topic)
	return d, errors.Join(err, c.topics.Remove(topic))
}

// latency measures a job between the producer's topic and the meter's.
func (c *course) latency(ctx context.Context, g kafkasink.Guarantee) (d delay, err error) {
	in, err := c.topic(ctx)
	if err != nil {
		return d, err
	}
	out, err := c.topic(ctx)
	if err != nil {
		return d, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q, done, err := c.start(context.WithoutCancel(ctx), g, in, out, false)
	if err != nil {
		return d, err
	}
	go func() {
		<-q.Done()
		cancel(errEnded)
	}()
	d, err = c.observe(ctx, in, out)
	stopping, giveUp := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer giveUp()
	if stop := q.Stop(stopping); stop != nil {
		err = errors.Join(err, fmt.Errorf("stop: %w", stop))
	}
	return d, errors.Join(err, done(), c.topics.Remove(in), c.topics.Remove(out))
}

var errEnded = errors.New("the job ended before its input did")

const stopWithin = time.Minute

// warmUp comes before each window and is not measured.
func (c *course) warmUp() time.Duration { return min(c.window/4, 3*time.Second) }

// observe produces at the rate and meters what comes out, of the window alone.
func (c *course) observe(ctx context.Context, in, out string) (d delay, err error) {
	warm := int64(c.warmUp().Seconds() * float64(c.rate))
	total := warm + max(int64(c.window.Seconds()*float64(c.rate)), 1)
	m, err := c.newMeter(out, warm)
	if err != nil {
		return d, err
	}
	if err = c.paced(ctx, in, total); err == nil {
		err = m.await(ctx, total)
	}
	err = errors.Join(err, m.close())
	return m.delay(), err
}
