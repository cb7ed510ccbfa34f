package millrace_test

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

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
