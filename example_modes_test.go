package millrace_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// Complete writes the whole table at the end of each batch; the console draws it.
func ExampleMode_complete() {
	job := millrace.NewJob("complete")
	job.From("words", sources.Slice("to", "to", "be", "to")).
		KeyBy(func(word string) string { return word }).
		Count("count", state.Forever).
		Filter("often", func(_ string, n int64) bool { return n > 1 }).
		To("out", sinks.Console[millrace.Pair[string, int64]](sinks.ConsoleConfig{Writer: os.Stdout}, nil), millrace.Complete)
	inBatchesOfTwo(job)
	// Output:
	// --------
	// Batch: 0
	// --------
	// +---+-----+
	// |Key|Value|
	// +---+-----+
	// |to |    2|
	// +---+-----+
	//
	// --------
	// Batch: 1
	// --------
	// +---+-----+
	// |Key|Value|
	// +---+-----+
	// |to |    3|
	// +---+-----+
}

// A function gets the changes of each batch in one call, each row once.
func ExampleMode_update() {
	job := millrace.NewJob("update")
	job.From("words", sources.Slice("to", "to", "be", "to")).
		KeyBy(func(word string) string { return word }).
		Count("count", state.Forever).
		To("out", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[millrace.Pair[string, int64]]) error {
			for _, r := range rows {
				fmt.Println("batch", batch, r.Kind, r.Value.Key, r.Value.Value)
			}
			return nil
		}), millrace.Update)
	inBatchesOfTwo(job)
	// Output:
	// batch 0 insert to 2
	// batch 1 insert be 1
	// batch 1 insert to 3
}

// printer prints what a task is given, epoch by epoch.
type printer struct{}

func (printer) Open(_ context.Context, task int, epoch int64) (bool, error) {
	fmt.Println("open", task, epoch)
	return true, nil
}

func (printer) Process(_ context.Context, r sinks.Row[string]) error {
	fmt.Println(r.Value)
	return nil
}

func (printer) Close(_ context.Context, cause error) error {
	fmt.Println("close", cause)
	return nil
}

func ExampleStream_To_forEach() {
	job := millrace.NewJob("foreach")
	job.From("words", sources.Slice("to", "be", "or")).
		To("out", sinks.ForEach(func() sinks.ForEachWriter[string] { return printer{} }))
	inBatchesOfTwo(job)
	// Output:
	// open 0 0
	// to
	// be
	// close <nil>
	// open 0 1
	// or
	// close <nil>
}

// A file gets its name when the input has ended.
func ExampleStream_To_textFile() {
	dir, remove := inFiles()
	defer remove()
	name := filepath.Join(dir, "words")
	job := millrace.NewJob("file")
	job.From("words", sources.Slice("to", "be")).
		To("out", sinks.TextFile(name, func(line []byte, word string) []byte { return append(line, word...) }))
	toEnd(job)
	text, err := os.ReadFile(name)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// to
	// be
	// <nil>
}

// A function of one's own gets the records as they travel, a batch at a time.
func ExampleStream_To_func() {
	job := millrace.NewJob("function")
	job.From("words", sources.Slice("to", "be")).
		To("out", sinks.Func(func(_ context.Context, b *flow.Batch[string]) error {
			for i, r := range b.Records {
				fmt.Println(b.KindOf(i), r.Value)
			}
			return nil
		}))
	toEnd(job)
	// Output:
	// insert to
	// insert be
}

// A table in memory can be read by its name while the job runs.
func ExampleTable_To_memory() {
	job := millrace.NewJob("memory")
	totals(job, sales...).To("out", sinks.Memory[millrace.Pair[string, int]]("totals"), millrace.Update)
	toEnd(job)
	table, _ := sinks.MemoryTable[millrace.Pair[string, int]]("totals")
	for _, row := range table.Rows() {
		fmt.Println(row.Key, row.Value)
	}
	// Output:
	// north 1000
	// south 100
}

// orders are what customers of some countries ordered; a later row of a customer replaces the earlier one.
func orders(job *millrace.Job) millrace.Table[string, string] {
	return job.From("orders", sources.Slice("ann nl 5", "bob nl 3", "ann be 5", "cleo be 4")).
		KeyBy(func(line string) string { return strings.Fields(line)[0] }).
		Reduce("latest", state.Forever, func(_, newer string) string { return newer })
}

func country(_, line string) string { return strings.Fields(line)[1] }

func amountOf(line string) (n int) {
	if _, err := fmt.Sscan(strings.Fields(line)[2], &n); err != nil {
		panic(err)
	}
	return n
}

// Ann moves: the Netherlands lose her before Belgium has her.
func ExampleTable_GroupBy() {
	job := millrace.NewJob("countries")
	orders(job).GroupBy(country).Count("customers").To("out", toStdout[millrace.Pair[string, int64]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 1}
	// {nl 2}
	// {nl 1}
	// {be 1}
	// {be 2}
}

func ExampleGrouped_Count() {
	job := millrace.NewJob("count")
	orders(job).GroupBy(country).Count("customers").To("out", toStdout[millrace.Pair[string, int64]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 1}
	// {nl 2}
	// {nl 1}
	// {be 1}
	// {be 2}
}

func ExampleGrouped_Sum() {
	job := millrace.NewJob("sum")
	orders(job).GroupBy(country).Sum("sum", amountOf).To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 5}
	// {nl 8}
	// {nl 3}
	// {be 5}
	// {be 9}
}

func ExampleGrouped_Avg() {
	job := millrace.NewJob("avg")
	orders(job).GroupBy(country).Avg("avg", amountOf).To("out", toStdout[millrace.Pair[string, float64]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 5}
	// {nl 4}
	// {nl 3}
	// {be 5}
	// {be 4.5}
}

func ExampleGrouped_Min() {
	job := millrace.NewJob("min")
	orders(job).GroupBy(country).Min("min", amountOf).To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 5}
	// {nl 3}
	// {be 5}
	// {be 4}
}

// The greatest order of the Netherlands leaves: the next greatest shows.
func ExampleGrouped_Max() {
	job := millrace.NewJob("max")
	orders(job).GroupBy(country).Max("max", amountOf).To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl 5}
	// {nl 3}
	// {be 5}
}

// An aggregate of one's own undoes what it did. It changes nothing that an older accumulator points to.
func ExampleGrouped_Aggregate() {
	type set = map[string]int
	change := func(by int) func(set, string) set {
		return func(s set, line string) set {
			s = maps.Clone(s)
			if s == nil {
				s = set{}
			}
			name := strings.Fields(line)[0]
			if s[name] += by; s[name] == 0 {
				delete(s, name)
			}
			return s
		}
	}
	job := millrace.NewJob("names")
	orders(job).GroupBy(country).Aggregate("names", change(1), change(-1)).
		MapValues("sorted", func(_ string, s set) string { return strings.Join(slices.Sorted(maps.Keys(s)), " ") }).
		To("out", toStdout[millrace.Pair[string, string]](), millrace.Update)
	toEnd(job)
	// Output:
	// {nl ann}
	// {nl ann bob}
	// {nl bob}
	// {be ann}
	// {be ann cleo}
}

// How many keys had how many records in a minute.
func ExamplePanes_GroupBy() {
	job := millrace.NewJob("histogram")
	hourly(job).Count("count").
		GroupBy(func(p millrace.Pane[string, int64]) int64 { return p.Value }).Count("keys").
		To("out", toStdout[millrace.Pair[int64, int64]](), millrace.Update)
	toEnd(job)
	// Output:
	// {1 1}
	// {1 2}
	// {1 1}
	// {2 1}
}
