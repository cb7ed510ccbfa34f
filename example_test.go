package millrace_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// toStdout is a sink that prints each record. One that does not insert has its kind before it.
func toStdout[T any]() sinks.Sink[T] {
	return sinks.Console[T](sinks.ConsoleConfig{Writer: os.Stdout}, nil)
}

// toEnd runs a job whose input ends. One task per operator keeps the order of what the examples print.
func toEnd(job *millrace.Job) {
	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 1})
	if err == nil {
		err = query.Await(context.Background())
	}
	if err != nil {
		panic(err)
	}
}

// inBatchesOfTwo runs a job until its input ends, in batches of two records.
func inBatchesOfTwo(job *millrace.Job) {
	query, err := job.Start(context.Background(), millrace.Config{Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 2, Parallelism: 1})
	if err == nil {
		err = query.Await(context.Background())
	}
	if err != nil {
		panic(err)
	}
}

// A whole program: the words of some lines, counted. StateDir would make it go on where it was when it is started again.
func Example() {
	job := millrace.NewJob("wordcount")
	job.From("lines", sources.Slice("to be or not", "to be")).
		FlatMap("split", func(line string, emit func(string)) {
			for word := range strings.FieldsSeq(line) {
				emit(word)
			}
		}).
		KeyBy(func(word string) string { return word }).
		Count("count", state.Forever).
		To("counts", sinks.Console[millrace.Pair[string, int64]](sinks.ConsoleConfig{}, nil), millrace.Update)

	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 1})
	if err == nil {
		err = query.Await(context.Background())
	}
	fmt.Println(query.Status(), err)
	// Output:
	// {to 1}
	// {be 1}
	// {or 1}
	// {not 1}
	// {to 2}
	// {be 2}
	// finished <nil>
}

// The plan of a job, without starting it.
func ExampleJob_Describe() {
	job := millrace.NewJob("lengths")
	job.From("words", sources.Slice("a", "bb")).
		KeyBy(func(word string) int { return len(word) }).
		Count("count", state.Forever).
		To("out", sinks.Discard[millrace.Pair[int, int64]](), millrace.Update)
	text, err := job.Describe(millrace.Config{Parallelism: 2})
	fmt.Println(strings.Split(text, ", plan ")[0], err)
	// Output:
	// job lengths: 3 operators in 2 chains <nil>
}

// Everything that is wrong is reported together, before a record flows.
func ExampleJob_Start_wrong() {
	job := millrace.NewJob("wrong")
	job.From("words", sources.Slice("a")).Map[int]("length", nil).Filter("length", func(n int) bool { return n > 0 })
	_, err := job.Start(context.Background(), millrace.Config{})
	fmt.Println(err)
	// Output:
	// millrace: job "wrong": operator "length": func is nil
	// operator id "length" used twice (Map and Filter)
	// no stream ends in a sink; call To on what should come out
}
