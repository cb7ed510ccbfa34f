package millrace_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

func ExampleStream_Map() {
	job := millrace.NewJob("lengths")
	job.From("words", sources.Slice("a", "bb", "ccc")).
		Map("length", func(word string) int { return len(word) }).
		To("out", toStdout[int]())
	toEnd(job)
	// Output:
	// 1
	// 2
	// 3
}

func ExampleStream_Filter() {
	job := millrace.NewJob("odd")
	job.From("numbers", sources.Slice(1, 2, 3, 4, 5)).
		Filter("odd", func(n int) bool { return n%2 == 1 }).
		To("out", toStdout[int]())
	toEnd(job)
	// Output:
	// 1
	// 3
	// 5
}

func ExampleStream_FlatMap() {
	job := millrace.NewJob("words")
	job.From("lines", sources.Slice("to be", "", "or not")).
		FlatMap("split", func(line string, emit func(string)) {
			for word := range strings.FieldsSeq(line) {
				emit(word)
			}
		}).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// to
	// be
	// or
	// not
}

// Union keeps each input's order; how the inputs mix is left open.
func ExampleStream_Union() {
	job := millrace.NewJob("union")
	low := job.From("low", sources.Slice(1, 2, 3))
	high := job.From("high", sources.Slice(101, 102, 103))
	all := sinks.Collect[int]()
	low.Union("all", high).To("out", all)
	toEnd(job)

	got := all.Values()
	slices.SortStableFunc(got, func(a, b int) int { return a/100 - b/100 })
	fmt.Println(got)
	// Output:
	// [1 2 3 101 102 103]
}

// Repartition deals the records round to so many tasks, here of the sink: each gets every second record.
func ExampleStream_Repartition() {
	job := millrace.NewJob("deal")
	dealt := sinks.Collect[int]()
	job.From("numbers", sources.Slice(1, 2, 3, 4, 5, 6)).Repartition("deal", 2).To("out", dealt)
	toEnd(job)

	got := dealt.Values()
	slices.SortStableFunc(got, func(a, b int) int { return a%2 - b%2 })
	fmt.Println(got)
	// Output:
	// [2 4 6 1 3 5]
}

// RepartitionBy spreads the records by key: those of one key keep their order.
func ExampleStream_RepartitionBy() {
	job := millrace.NewJob("spread")
	spread := sinks.Collect[int]()
	job.From("numbers", sources.Slice(10, 20, 11, 21, 12, 22)).
		RepartitionBy("by-tens", 2, func(n int) int { return n / 10 }).
		To("out", spread)
	toEnd(job)

	got := spread.Values()
	slices.SortStableFunc(got, func(a, b int) int { return a/10 - b/10 })
	fmt.Println(got)
	// Output:
	// [10 11 12 20 21 22]
}

// Rebalance deals the records round to the default number of tasks.
func ExampleStream_Rebalance() {
	job := millrace.NewJob("rebalance")
	dealt := sinks.Collect[int]()
	job.From("numbers", sources.Slice(1, 2, 3, 4, 5, 6)).Rebalance("deal").To("out", dealt)
	toEnd(job)
	fmt.Println(dealt.Values())
	// Output:
	// [1 2 3 4 5 6]
}

// Broadcast sends every record to every task of what follows, here to both of the sink.
func ExampleStream_Broadcast() {
	job := millrace.NewJob("broadcast")
	sent := sinks.Collect[int]()
	job.From("numbers", sources.Slice(1, 2)).Broadcast("all").To("out", sent)
	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 2})
	if err == nil {
		err = query.Await(context.Background())
	}
	got := sent.Values()
	slices.Sort(got)
	fmt.Println(got, err)
	// Output:
	// [1 1 2 2] <nil>
}

// KeyBy makes no step of its own: the records of one key go to one task of what follows, in order.
func ExampleStream_KeyBy() {
	job := millrace.NewJob("keyed")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(func(s sale) string { return s.Shop }).
		Count("count", state.Forever).
		Final("text", func(shop string, n int64) string { return fmt.Sprint(shop, " ", n) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// north 3
	// south 1
}
