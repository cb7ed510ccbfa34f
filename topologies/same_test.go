package topologies_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

// copies have no function from streams to streams: they attach a source to a sink.
var copies = map[string]bool{"kafka-copy": true, "kafka-repartition": true, "kafka-union": true, "rate": true}

func TestEveryTopologyHasAScenario(t *testing.T) {
	for _, x := range topologies.All() {
		if scenarios[x.Name] == nil && !copies[x.Name] {
			t.Errorf("topology %q has no scenario", x.Name)
		}
	}
}

// play runs a scenario until its end, or until x.tapAt records were read.
func play(t *testing.T, name string, c millrace.Config, x *trial) result {
	t.Helper()
	x.Job, x.tapped = millrace.NewJob("test"), make(chan struct{})
	got := scenarios[name](x)
	q, err := x.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if x.tapAt > 0 {
		<-x.tapped
		err = q.Stop(t.Context())
	} else {
		err = q.Await(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range q.Progress().Operators {
		if o.Late > 0 || o.DeadLetters > 0 {
			t.Errorf("operator %q: %d late, %d dead letters, want none", o.ID, o.Late, o.DeadLetters)
		}
	}
	if x.tapAt > 0 && q.Status() != millrace.Stopped {
		t.Fatalf("the first run is %v, want it stopped before its end", q.Status())
	}
	return got
}

// compare says what is different.
func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	shown := 0
	for k, v := range want {
		if g, ok := got[k]; g != v && shown < 5 {
			shown++
			t.Errorf("%s: got %q (there: %v), want %q", k, g, ok, v)
		}
	}
	t.Errorf("%d rows, want %d", len(got), len(want))
}

// The same topology gives the same under every trigger and with any number of tasks, and none of its records is late.
func TestTriggersGiveTheSame(t *testing.T) {
	records := invariants.Sized[int64](4000, 1600) // of several batches
	configs := map[string]millrace.Config{
		"real time, 3 tasks": {Parallelism: 3},
		"micro-batch":        {Parallelism: 2, Trigger: millrace.MicroBatch(), MaxRecordsPerBatch: records * 9 / 40},
		"available now":      {Parallelism: 2, Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: records * 3 / 8},
		"once":               {Parallelism: 2, Trigger: millrace.Once()},
	}
	for name := range scenarios {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			want := play(t, name, millrace.Config{Parallelism: 1}, &trial{records: records})()
			if len(want) < 3 {
				t.Fatalf("got %v, want more rows", want)
			}
			for trigger, c := range configs {
				t.Run(trigger, func(t *testing.T) {
					compare(t, play(t, name, c, &trial{records: records})(), want)
				})
			}
		})
	}
}

// A run that was stopped and the one that goes on from its state together give what one run gives.
func TestRunsThatAreStoppedGiveTheSame(t *testing.T) {
	for name := range scenarios {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			want := play(t, name, millrace.Config{Parallelism: 2}, &trial{records: 2000})()
			c := millrace.Config{Parallelism: 2, StateDir: t.TempDir()}
			first := &trial{records: 2000, perSecond: 1000, tapAt: 500}
			play(t, name, c, first)
			c.Parallelism = 3
			compare(t, play(t, name, c, &trial{records: 2000, out: first.out})(), want)
		})
	}
}

// The rows of rate are the same under every trigger: each number once, a fixed time apart. Available-now reads what is due at its start,
// so it takes several runs.
func TestRateGivesTheSameUnderEveryTrigger(t *testing.T) {
	const records, perSecond = 3000, 10_000
	for trigger, c := range map[string]millrace.Config{
		"real time":     {Parallelism: 2},
		"micro-batch":   {Parallelism: 2, Trigger: millrace.MicroBatch(), MaxRecordsPerBatch: 400},
		"available now": {Parallelism: 2, Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 400},
	} {
		t.Run(trigger, func(t *testing.T) {
			rows := sinks.Collect[sources.RateRow]()
			c.StateDir = t.TempDir()
			for ended := false; !ended; {
				j := millrace.NewJob("rate")
				j.From("rows", sources.First(sources.Rate(sources.RateConfig{RowsPerSecond: perSecond}), records)).To("out", rows)
				q, err := j.Start(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if err := q.Await(t.Context()); err != nil {
					t.Fatal(err)
				}
				ended = q.Progress().Ended
			}
			seen, start := map[int64]bool{}, rows.Values()[0]
			for _, r := range rows.Values() {
				if want := start.Timestamp.Add(time.Duration(r.Value-start.Value) * time.Second / perSecond); seen[r.Value] || r.Value >= records || !r.Timestamp.Equal(want) {
					t.Fatalf("row %v: seen before: %v; the first row is %v", r, seen[r.Value], start)
				}
				seen[r.Value] = true
			}
			if len(seen) != records {
				t.Errorf("%d rows, want %d", len(seen), records)
			}
		})
	}
}
