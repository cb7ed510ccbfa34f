package millrace_test

import (
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// totals are the takings of each shop; a negative sale is a refund.
func totals(job *millrace.Job, sales ...sale) millrace.Table[string, int] {
	return job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Sum("total", state.Forever, func(s sale) int { return s.Cents })
}

// A row that was kept and no longer passes is deleted.
func ExampleTable_Filter() {
	job := millrace.NewJob("busy")
	totals(job, sale{"north", 900}, sale{"north", 200}, sale{"north", -500}).
		Filter("busy", func(_ string, cents int) bool { return cents >= 1000 }).
		To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// delete {north 900}
	// {north 1100}
	// delete {north 600}
}

func ExampleTable_MapValues() {
	job := millrace.NewJob("euros")
	totals(job, sales...).
		MapValues("euros", func(_ string, cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }).
		To("out", toStdout[millrace.Pair[string, string]](), millrace.Update)
	toEnd(job)
	// Output:
	// {north 2.50}
	// {south 1.00}
	// {north 3.00}
	// {north 10.00}
}

// Stream makes a record of each change and drops deletions.
func ExampleTable_Stream() {
	job := millrace.NewJob("feed")
	totals(job, sales...).
		Stream("line", func(shop string, cents int) string { return fmt.Sprintf("%s is at %d", shop, cents) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// north is at 250
	// south is at 100
	// north is at 300
	// north is at 1000
}

// Final emits each row once, when the input has ended: the result of a bounded job, in no particular order.
func ExampleTable_Final() {
	job := millrace.NewJob("result")
	totals(job, sales...).
		Final("last", func(shop string, cents int) string { return fmt.Sprintf("%s took %d", shop, cents) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// north took 1000
	// south took 100
}
