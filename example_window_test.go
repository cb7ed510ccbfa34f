package millrace_test

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
)

// reading is what a sensor measured, some seconds after noon.
type reading struct {
	Sensor          string
	Second, Degrees int
}

func (r reading) sensor() string { return r.Sensor }
func (r reading) degrees() int   { return r.Degrees }
func (r reading) at() time.Time {
	return time.Date(2026, 5, 1, 12, 0, r.Second, 0, time.UTC)
}

// readings are a little out of order.
var readings = []reading{{"roof", 1, 20}, {"roof", 30, 24}, {"roof", 70, 26}, {"roof", 65, 22}, {"roof", 150, 13}}

// measured reads the readings with event times; a reading that is ten seconds older than the newest is on time.
func measured(job *millrace.Job, from ...reading) millrace.Keyed[string, reading] {
	return job.From("readings", sources.Slice(from...)).
		EventTime("clock", millrace.Watermark{Delay: 10 * time.Second}, reading.at).
		KeyBy(reading.sensor)
}

// clocked is a pane as text.
func clocked[V any](p millrace.Pane[string, V]) string {
	return fmt.Sprintf("%s-%s %s: %v", p.Start.UTC().Format("15:04:05"), p.End.UTC().Format("15:04:05"), p.Key, p.Value)
}

func ExampleKeyed_Window() {
	job := millrace.NewJob("minutes")
	measured(job, readings...).
		Window(millrace.Tumbling{Size: time.Minute}).
		Count("count").
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:00-12:01:00 roof: 2
	// 12:01:00-12:02:00 roof: 2
	// 12:02:00-12:03:00 roof: 1
}

// Windows of a minute that begin half a minute past the full one.
func ExampleTumbling() {
	job := millrace.NewJob("minutes")
	measured(job, readings...).
		Window(millrace.Tumbling{Size: time.Minute, Offset: 30 * time.Second}).
		Count("count").
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 11:59:30-12:00:30 roof: 1
	// 12:00:30-12:01:30 roof: 3
	// 12:02:30-12:03:30 roof: 1
}

// Within its grace a window takes late records: what was written of it is written again.
func ExampleTumbling_grace() {
	late := append(readings[:4:4], reading{"roof", 31, 25}, readings[4])
	job := millrace.NewJob("minutes")
	measured(job, late...).
		Window(millrace.Tumbling{Size: time.Minute, Grace: 10 * time.Minute}).
		Firing(millrace.Firing{FinalOnly: true}).
		Count("count").
		Changes("text", clocked).To("out", printed[string]())
	inBatchesOfTwo(job)
	// Output:
	// 12:00:00-12:01:00 roof: 2
	// 12:00:00-12:01:00 roof: 3
	// 12:01:00-12:02:00 roof: 2
	// 12:02:00-12:03:00 roof: 1
}

func ExampleSliding() {
	job := millrace.NewJob("sliding")
	measured(job, readings[:4]...).
		Window(millrace.Sliding{Size: time.Minute, Slide: 30 * time.Second}).
		Count("count").
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 11:59:30-12:00:30 roof: 1
	// 12:00:00-12:01:00 roof: 2
	// 12:00:30-12:01:30 roof: 3
	// 12:01:00-12:02:00 roof: 2
}

// A session ends when its key has been silent for the gap.
func ExampleSession() {
	job := millrace.NewJob("sessions")
	measured(job, readings...).
		Window(millrace.Session{Gap: 45 * time.Second}).
		Count("count").
		Stream("text", clocked).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 12:00:01-12:01:55 roof: 4
	// 12:02:30-12:03:15 roof: 1
}

// A record can make one session of two: in update mode the swallowed one is deleted.
func ExampleSession_update() {
	job := millrace.NewJob("sessions")
	measured(job, reading{"roof", 0, 20}, reading{"roof", 40, 20}, reading{"roof", 35, 20}).
		Window(millrace.Session{Gap: 40 * time.Second}).
		Count("count").
		To("out", changesToStdout(clocked[int64]), millrace.Update)
	toEnd(job)
	// Output:
	// insert 12:00:00-12:00:40 roof: 1
	// insert 12:00:40-12:01:20 roof: 1
	// delete 12:00:40-12:01:20 roof: 1
	// insert 12:00:00-12:01:20 roof: 3
}

// The one window of all time closes at the end of the input; it needs no event time.
func ExampleGlobal() {
	job := millrace.NewJob("all")
	job.From("readings", sources.Slice(readings...)).
		KeyBy(reading.sensor).
		Window(millrace.Global{}).
		Max("warmest", reading.degrees).
		Stream("text", func(p millrace.Pane[string, int]) string { return fmt.Sprint(p.Key, " ", p.Value) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// roof 26
}

// The last three readings, at every second one. The first window is shorter.
func ExampleCountOf() {
	job := millrace.NewJob("latest")
	job.From("readings", sources.Slice(readings...)).
		KeyBy(reading.sensor).
		Window(millrace.CountOf{Records: 3, Every: 2}).
		Collect("degrees", reading.degrees).
		Stream("text", func(p millrace.Pane[string, []int]) string { return fmt.Sprint(p.Value) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// [20 24]
	// [24 26 22]
}

// Days as clocks in Amsterdam show them: the one on which summer time begins has 23 hours.
func ExampleCalendar() {
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		panic(err)
	}
	job := millrace.NewJob("days")
	job.From("times", sources.Slice("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z")).
		EventTime("clock", millrace.Watermark{}, func(text string) time.Time {
			at, _ := time.Parse(time.RFC3339, text)
			return at
		}).
		KeyBy(func(string) string { return "visits" }).
		Window(millrace.Calendar{Every: millrace.Day, Location: amsterdam}).
		Count("count").
		Stream("text", func(p millrace.Pane[string, int64]) string {
			return fmt.Sprintf("%s, %v: %d", p.Start.In(amsterdam).Format(time.DateOnly), p.End.Sub(p.Start), p.Value)
		}).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// 2026-03-28, 24h0m0s: 1
	// 2026-03-29, 23h0m0s: 2
	// 2026-03-30, 24h0m0s: 1
}
