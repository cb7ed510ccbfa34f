package millrace_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// minutely divides the readings into minutes.
func minutely(job *millrace.Job) millrace.Windowed[string, reading] {
	return measured(job, readings...).Window(millrace.Tumbling{Size: time.Minute})
}

// changesToStdout is a sink that prints each change with its kind.
func changesToStdout[T any](text func(T) string) sinks.Sink[T] {
	return sinks.Func(func(_ context.Context, b *flow.Batch[T]) error {
		for i, r := range b.Records {
			fmt.Println(b.KindOf(i), text(r.Value))
		}
		return nil
	})
}

// printed is a sink that prints each record alike, in batches too.
func printed[T any]() sinks.Sink[T] {
	return sinks.Each(func(v T) error {
		fmt.Println(v)
		return nil
	})
}

func ExampleWindowed_Count() {
	job := millrace.NewJob("count")
	minutely(job).Count("count").Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 2
	// 12:01:00-12:02:00 roof: 2
	// 12:02:00-12:03:00 roof: 1
}

func ExampleWindowed_Sum() {
	job := millrace.NewJob("sum")
	minutely(job).Sum("sum", reading.degrees).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 44
	// 12:01:00-12:02:00 roof: 48
	// 12:02:00-12:03:00 roof: 13
}

func ExampleWindowed_Min() {
	job := millrace.NewJob("min")
	minutely(job).Min("coldest", reading.degrees).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 20
	// 12:01:00-12:02:00 roof: 22
	// 12:02:00-12:03:00 roof: 13
}

func ExampleWindowed_Max() {
	job := millrace.NewJob("max")
	minutely(job).Max("warmest", reading.degrees).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 24
	// 12:01:00-12:02:00 roof: 26
	// 12:02:00-12:03:00 roof: 13
}

func ExampleWindowed_Avg() {
	job := millrace.NewJob("avg")
	minutely(job).Avg("mean", reading.degrees).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 22
	// 12:01:00-12:02:00 roof: 24
	// 12:02:00-12:03:00 roof: 13
}

// How many different tens of degrees there were.
func ExampleWindowed_CountDistinct() {
	job := millrace.NewJob("distinct")
	minutely(job).CountDistinct("tens", func(r reading) int { return r.Degrees / 10 }).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 1
	// 12:01:00-12:02:00 roof: 1
	// 12:02:00-12:03:00 roof: 1
}

func ExampleWindowed_Collect() {
	job := millrace.NewJob("collect")
	minutely(job).Collect("degrees", reading.degrees).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: [20 24]
	// 12:01:00-12:02:00 roof: [26 22]
	// 12:02:00-12:03:00 roof: [13]
}

// The warmest reading of each minute, with all that was read of it.
func ExampleWindowed_TopN() {
	job := millrace.NewJob("top")
	minutely(job).TopN("warmest", 1, func(a, b reading) bool { return a.Degrees > b.Degrees }).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: [{roof 30 24}]
	// 12:01:00-12:02:00 roof: [{roof 70 26}]
	// 12:02:00-12:03:00 roof: [{roof 150 13}]
}

func ExampleWindowed_Reduce() {
	job := millrace.NewJob("reduce")
	minutely(job).Reduce("newest", func(a, b reading) reading {
		if b.Second > a.Second {
			return b
		}
		return a
	}).Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: {roof 30 24}
	// 12:01:00-12:02:00 roof: {roof 70 26}
	// 12:02:00-12:03:00 roof: {roof 150 13}
}

// An aggregate of one's own: the coldest and the warmest, so far apart.
func ExampleWindowed_Aggregate() {
	type span struct {
		Any      bool
		Min, Max int
	}
	merge := func(a, b span) span {
		if !a.Any || !b.Any {
			return span{a.Any || b.Any, a.Min + b.Min, a.Max + b.Max}
		}
		return span{true, min(a.Min, b.Min), max(a.Max, b.Max)}
	}
	add := func(s span, r reading) span { return merge(s, span{true, r.Degrees, r.Degrees}) }
	job := millrace.NewJob("aggregate")
	minutely(job).Aggregate("span", add, merge).
		MapValues("width", func(p millrace.Pane[string, span]) int { return p.Value.Max - p.Value.Min }).
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 4
	// 12:01:00-12:02:00 roof: 4
	// 12:02:00-12:03:00 roof: 0
}

// A row with every third record of a pane, and what has changed since then at its end.
func ExampleWindowed_Firing() {
	job := millrace.NewJob("firing")
	measured(job, readings...).
		Window(millrace.Tumbling{Size: 2 * time.Minute}).
		Firing(millrace.Firing{Records: 3}).
		Count("count").
		Changes("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:02:00 roof: 3
	// 12:00:00-12:02:00 roof: 4
	// 12:02:00-12:04:00 roof: 1
}

// What has changed, by the clock on the wall: for windows that are long, or never close.
func ExampleWindowed_Firing_every() {
	in, out := make(chan reading), make(chan string)
	job := millrace.NewJob("every")
	job.From("readings", sources.Channel(in)).
		KeyBy(reading.sensor).
		Window(millrace.Global{}).
		Firing(millrace.Firing{Every: 10 * time.Millisecond}).
		Max("warmest", reading.degrees).
		Changes("text", func(p millrace.Pane[string, int]) string { return fmt.Sprint(p.Key, " ", p.Value) }).
		To("out", sinks.Each(func(text string) error { out <- text; return nil }))
	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 1})
	if err != nil {
		panic(err)
	}
	for _, r := range readings[:2] {
		in <- r
		fmt.Println(<-out)
	}
	close(in)
	fmt.Println(query.Await(context.Background()))
	// Output:
	// roof 20
	// roof 24
	// <nil>
}

// A record whose windows have all closed goes where LateTo says.
func ExampleWindowed_LateTo() {
	late := millrace.NewTag[reading]("late")
	job := millrace.NewJob("late")
	counts := measured(job, append(readings[:4:4], reading{"roof", 31, 25})...).
		Window(millrace.Tumbling{Size: time.Minute}).
		LateTo(late).
		Count("count")
	counts.Stream("text", clocked).To("out", printed[string]())
	counts.Side(late).Map("late text", func(r reading) string { return fmt.Sprint("late: ", r) }).To("late out", printed[string]())
	inBatchesOfTwo(job)
	// Unordered output:
	// 12:00:00-12:01:00 roof: 2
	// late: {roof 31 25}
	// 12:01:00-12:02:00 roof: 2
}

func ExamplePanes_Side() {
	late := millrace.NewTag[reading]("late")
	job := millrace.NewJob("late")
	measured(job, append(readings[:4:4], reading{"roof", 31, 25})...).
		Window(millrace.Tumbling{Size: time.Minute}).
		LateTo(late).
		Count("count").
		Side(late).To("out", printed[reading]())
	inBatchesOfTwo(job)
	// Output:
	// {roof 31 25}
}

func ExamplePanes_MapValues() {
	job := millrace.NewJob("stars")
	minutely(job).Count("count").
		MapValues("stars", func(p millrace.Pane[string, int64]) string { return strings.Repeat("*", int(p.Value)) }).
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: **
	// 12:01:00-12:02:00 roof: **
	// 12:02:00-12:03:00 roof: *
}

func ExamplePanes_Filter() {
	job := millrace.NewJob("warm")
	minutely(job).Max("warmest", reading.degrees).
		Filter("warm", func(p millrace.Pane[string, int]) bool { return p.Value > 20 }).
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 24
	// 12:01:00-12:02:00 roof: 26
}

// Each pane becomes a record once, when it is final: a stream that can be windowed again.
func ExamplePanes_Stream() {
	job := millrace.NewJob("maxima")
	minutely(job).Max("warmest", reading.degrees).
		Stream("values", func(p millrace.Pane[string, int]) reading { return reading{Sensor: p.Key, Degrees: p.Value} }).
		KeyBy(reading.sensor).
		Window(millrace.Tumbling{Size: time.Hour}).
		Avg("mean", reading.degrees).
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-13:00:00 roof: 21
}

// Each change of a pane becomes a record; with every record of the window, as nothing else is set.
func ExamplePanes_Changes() {
	job := millrace.NewJob("changes")
	measured(job, readings[:3]...).Window(millrace.Tumbling{Size: time.Minute}).
		Sum("sum", reading.degrees).
		Changes("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 20
	// 12:00:00-12:01:00 roof: 44
	// 12:01:00-12:02:00 roof: 26
}

// One result, written under two output modes: each row once, and each of its changes.
func ExamplePanes_To() {
	job := millrace.NewJob("modes")
	counts := measured(job, readings[:2]...).Window(millrace.Tumbling{Size: time.Minute}).Count("count")
	counts.To("final", changesToStdout(func(p millrace.Pane[string, int64]) string { return "final " + clocked(p) }), millrace.Append)
	counts.To("changes", changesToStdout(clocked[int64]), millrace.Update)
	toEnd(job)
	// Unordered output:
	// insert 12:00:00-12:01:00 roof: 1
	// insert 12:00:00-12:01:00 roof: 2
	// insert final 12:00:00-12:01:00 roof: 2
}
