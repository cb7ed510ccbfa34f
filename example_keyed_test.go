package millrace_test

import (
	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// sale is a record of the examples.
type sale struct {
	Shop  string
	Cents int
}

func (s sale) shop() string { return s.Shop }

var sales = []sale{{"north", 250}, {"south", 100}, {"north", 50}, {"north", 700}}

// Each record changes its key's row, so a row is written for each; the last one of a key is its count.
func ExampleKeyed_Count() {
	job := millrace.NewJob("count")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Count("count", state.Forever).
		To("out", toStdout[millrace.Pair[string, int64]](), millrace.Update)
	toEnd(job)
	// Output:
	// {north 1}
	// {south 1}
	// {north 2}
	// {north 3}
}

func ExampleKeyed_Sum() {
	job := millrace.NewJob("sum")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Sum("cents", state.Forever, func(s sale) int { return s.Cents }).
		To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {north 250}
	// {south 100}
	// {north 300}
	// {north 1000}
}

// The first record of a key stands for itself; f combines it with each that follows.
func ExampleKeyed_Reduce() {
	job := millrace.NewJob("largest")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Reduce("largest", state.Forever, func(a, b sale) sale {
			if b.Cents > a.Cents {
				return b
			}
			return a
		}).
		To("out", toStdout[millrace.Pair[string, sale]](), millrace.Update)
	toEnd(job)
	// Output:
	// {north {north 250}}
	// {south {south 100}}
	// {north {north 250}}
	// {north {north 700}}
}

// mean is an accumulator. What is kept as state has exported fields.
type mean struct{ Sum, N int }

func (m mean) add(s sale) mean { return mean{m.Sum + s.Cents, m.N + 1} }

// Aggregate folds into a type of its own; MapValues makes the result of it.
func ExampleKeyed_Aggregate() {
	job := millrace.NewJob("mean")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Aggregate("mean", state.Forever, mean.add).
		MapValues("cents", func(_ string, m mean) int { return m.Sum / m.N }).
		To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {north 250}
	// {south 100}
	// {north 150}
	// {north 333}
}
