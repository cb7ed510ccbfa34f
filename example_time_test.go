package millrace_test

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

func constant[T any](T) string { return "all" }

// The time of each record is a field of it.
func ExampleStream_EventTime() {
	job := millrace.NewJob("clocked")
	job.From("readings", sources.Slice(readings[:2]...)).
		EventTime("clock", millrace.Watermark{Delay: 10 * time.Second, Idle: time.Minute}, reading.at).
		Process("time", func(c *millrace.Context[millrace.Unkeyed, string], r reading) error {
			c.Emit(fmt.Sprintf("%s: %d degrees", c.Time().UTC().Format(time.TimeOnly), r.Degrees))
			return nil
		}).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:01: 20 degrees
	// 12:00:30: 24 degrees
}

// The times are those that the source gave: of a generator, when each record was due.
func ExampleStream_SourceTime() {
	job := millrace.NewJob("due")
	job.From("numbers", sources.Generate(sources.GeneratorConfig{PerSecond: 1000, Count: 4}, func(i int64) string { return fmt.Sprint(i) })).
		SourceTime("clock", millrace.Watermark{}).
		KeyBy(constant[string]).
		Window(millrace.Session{Gap: time.Second}).
		Count("count").
		Stream("text", func(p millrace.Pane[string, int64]) string {
			return fmt.Sprintf("%d records, the last %v behind the first", p.Value, p.End.Sub(p.Start)-time.Second)
		}).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 4 records, the last 3ms behind the first
}

// Windows follow the clock on the wall: this one closes without further input.
func ExampleStream_ProcessingTime() {
	in, out := make(chan string), make(chan string)
	job := millrace.NewJob("sessions")
	job.From("users", sources.Channel(in)).
		ProcessingTime("clock").
		KeyBy(itself).
		Window(millrace.Session{Gap: 20 * time.Millisecond}).
		Count("count").
		Stream("user", func(p millrace.Pane[string, int64]) string { return fmt.Sprint(p.Key, " ", p.Value) }).
		To("out", sinks.Each(func(text string) error { out <- text; return nil }))
	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 1})
	if err != nil {
		panic(err)
	}
	in <- "ann"
	fmt.Println(<-out)
	close(in)
	fmt.Println(query.Await(context.Background()))
	// Output:
	// ann 1
	// <nil>
}

// The answers leave in the order of the questions, although the first one takes the longest.
func ExampleStream_AsyncLookup() {
	names := map[string]string{"nl": "Netherlands", "be": "Belgium"}
	job := millrace.NewJob("countries")
	answers := job.From("codes", sources.Slice("nl", "xx", "be")).
		AsyncLookup("name", millrace.Lookup{Concurrency: 3, Timeout: time.Second}, func(ctx context.Context, code string) (string, error) {
			if code == "nl" {
				select {
				case <-time.After(20 * time.Millisecond):
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}
			if name, ok := names[code]; ok {
				return name, nil
			}
			return "", fmt.Errorf("no country %q", code)
		})
	answers.To("out", toStdout[string]())
	answers.Side(millrace.Unanswered[string]()).Map("unknown", func(code string) string { return "unknown: " + code }).To("unknown out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// Netherlands
	// Belgium
	// unknown: xx
}
