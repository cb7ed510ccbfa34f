// Command kafka measures S1, every record of one topic copied to another with key, value, headers and timestamp, on a
// real broker: Millrace against a hand-written sarama loop (floor.go). Start the broker with make kafka.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/kafka/topics"
)

// windowSeconds is how long the floor takes to copy the records: long enough that Millrace, which needs less, has epochs in
// its window that are not the last one.
const windowSeconds = 8

// calibrationRecords are copied once, unmeasured, to learn how many records fill a window.
const calibrationRecords = 200_000

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "broker addresses, separated by commas")
	partitions := flag.Int("partitions", 2, "partitions of the input and of the output topic")
	records := flag.Int64("records", 0, "records to copy in each window; 0: as many as the floor copies in -seconds")
	harness.Main(windowSeconds, func(ctx context.Context, o harness.Options) (harness.Benchmark, func() error, error) {
		f := &field{brokers: strings.Split(*brokers, ","), partitions: *partitions, records: *records}
		b, err := f.prepare(ctx, o.Window())
		return b, f.close, err
	})
}

// field is where the contestants meet: the broker and the topics on it.
type field struct {
	brokers    []string
	partitions int
	records    int64
	prefix     string // of the topics of this run
	topics     *topics.Set
	runs       int
}

// prepare fills the input topic.
func (f *field) prepare(ctx context.Context, window time.Duration) (b harness.Benchmark, err error) {
	if f.partitions < 1 || f.records < 0 {
		return b, fmt.Errorf("%d partitions and %d records, want at least 1 and 0", f.partitions, f.records)
	}
	f.prefix = fmt.Sprintf("bench-%d-%d-", os.Getpid(), time.Now().UnixNano())
	if f.topics, err = topics.Open(f.brokers, settings()); err != nil {
		return b, err
	}
	if err := f.topics.Create(ctx, f.input(), f.partitions, nil); err != nil {
		return b, err
	}
	if f.records == 0 {
		if err := f.calibrate(ctx, window); err != nil {
			return b, fmt.Errorf("calibrate: %w", err)
		}
	} else if err := preload(f.brokers, f.input(), f.partitions, 0, f.records); err != nil {
		return b, err
	}
	return harness.Benchmark{
		Name:    "kafka",
		Base:    f.contestant("floor", copyFloor),
		Subject: f.contestant("millrace", copyMillrace),
		Notes:   f.notes,
	}, nil
}

// calibrate sets the number of records so that the floor needs about a window for them.
func (f *field) calibrate(ctx context.Context, window time.Duration) error {
	if err := preload(f.brokers, f.input(), f.partitions, 0, calibrationRecords); err != nil {
		return err
	}
	out, err := f.output(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := copyFloor(ctx, job{f.brokers, f.input(), out, f.partitions, calibrationRecords}); err != nil {
		return err
	}
	perSecond := calibrationRecords / time.Since(start).Seconds()
	f.records = max(calibrationRecords, int64(perSecond*window.Seconds()))
	return preload(f.brokers, f.input(), f.partitions, calibrationRecords, f.records)
}

func (f *field) input() string { return f.prefix + "in" }

// output makes a new output topic.
func (f *field) output(ctx context.Context) (string, error) {
	f.runs++
	name := fmt.Sprintf("%sout-%d", f.prefix, f.runs)
	return name, f.topics.Create(ctx, name, f.partitions, nil)
}

// contestant copies all records into a topic of its own, which is read back and hashed behind the window.
func (f *field) contestant(name string, run copier) harness.Contestant {
	var out string
	return harness.Contestant{
		Name: name,
		Throughput: func(ctx context.Context) (s harness.Sample, err error) {
			if out, err = f.output(ctx); err != nil {
				return s, err
			}
			u := harness.StartUsage()
			if err := run(ctx, job{f.brokers, f.input(), out, f.partitions, f.records}); err != nil {
				return s, err
			}
			return u.Until(f.records), nil
		},
		Output: func(ctx context.Context) (uint64, error) {
			hash, err := hashTopic(ctx, f.brokers, out, f.partitions, f.records)
			if err != nil {
				return 0, err
			}
			return hash, f.topics.Remove(out)
		},
	}
}

func (f *field) notes(harness.Report) []string {
	return []string{
		fmt.Sprintf("%d records of %d B a window, %d partitions; acks=all, idempotent, no compression, linger %v; CPU is the client's alone",
			f.records, recordBytes, f.partitions, linger),
		"millrace: exactly-once state, an epoch every second, and its window has the job's start and end in it; floor: no offsets, no restart",
		"no latency: the input is full before the window, so a record's age says where it lay and not how long it took",
	}
}

// close removes the topics of this run.
func (f *field) close() error { return f.topics.Close() }
