package millrace_test

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// batched prints the numbers of three words' batches, read under a trigger, two of each split at most.
func batched(trigger millrace.Trigger) {
	job := millrace.NewJob("batched")
	job.From("words", sources.Slice("to", "be", "or")).
		To("out", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[string]) error {
			fmt.Println("batch", batch, "has", len(rows))
			return nil
		}))
	query, err := job.Start(context.Background(), millrace.Config{Trigger: trigger, MaxRecordsPerBatch: 2, Parallelism: 1})
	if err == nil {
		err = query.Await(context.Background())
	}
	fmt.Println(err)
}

// One batch after the other, as fast as possible.
func ExampleMicroBatch() {
	batched(millrace.MicroBatch())
	// Output:
	// batch 0 has 2
	// batch 1 has 1
	// <nil>
}

// A batch each interval.
func ExampleEvery() {
	batched(millrace.Every(10 * time.Millisecond))
	// Output:
	// batch 0 has 2
	// batch 1 has 1
	// <nil>
}

// One batch of all there is, whatever the limits say.
func ExampleOnce() {
	batched(millrace.Once())
	// Output:
	// batch 0 has 3
	// <nil>
}

// Records flow as they come; what one interval brought is a batch to those who want to know of one.
func ExampleRealTime() {
	batched(millrace.RealTime(time.Minute))
	// Output:
	// batch 0 has 3
	// <nil>
}

// What is there is read in batches of two, and the job ends.
func ExampleAvailableNow() {
	j := millrace.NewJob("available")
	rows := sinks.Collect[int]()
	j.From("numbers", sources.Slice(1, 2, 3, 4, 5)).To("out", rows)
	q, err := j.Start(context.Background(), millrace.Config{Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 2, Parallelism: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := q.Await(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(rows.Values(), q.Status(), "newest batch", q.Progress().Batch)
	// Output: [1 2 3 4 5] finished newest batch 2
}
