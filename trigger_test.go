package millrace_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

func batchJob(src sources.Source[int], to *batchLog, each func(int)) *millrace.Job {
	j := millrace.NewJob("batches")
	j.From("in", src).Map("each", func(v int) int {
		if each != nil {
			each(v)
		}
		return v
	}).To("out", to)
	return j
}

func begin(t *testing.T, j *millrace.Job, c millrace.Config) *millrace.Query {
	t.Helper()
	if testing.Verbose() {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c.Parallelism = cmp.Or(c.Parallelism, 1)
	q, err := j.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func finished(t *testing.T, q *millrace.Query, want millrace.Status) {
	t.Helper()
	err := q.Await(t.Context())
	if q.Status() != want || (err != nil) != (want == millrace.Failed) {
		t.Fatalf("status %v, error %v; want %v", q.Status(), err, want)
	}
}

// The same topology gives the same final rows under any trigger.
func TestTriggersGiveTheSameRows(t *testing.T) {
	words := strings.Fields(strings.Repeat("the quick brown fox jumps over the lazy dog and the cat ", 200))
	for _, guarantee := range []millrace.Guarantee{millrace.ExactlyOnce, millrace.AtLeastOnce, millrace.AtMostOnce} {
		for _, trigger := range []millrace.Trigger{
			millrace.RealTime(0), millrace.MicroBatch(), millrace.Every(10 * time.Millisecond), millrace.Once(), millrace.AvailableNow(),
		} {
			t.Run(fmt.Sprint(guarantee, " ", trigger), func(t *testing.T) {
				j := millrace.NewJob("same")
				out := sinks.Collect[millrace.Pair[string, int64]]()
				j.From("words", sources.Slice(words...)).KeyBy(itself).Count("count", state.Forever).To("out", out, millrace.Update)
				q := begin(t, j, millrace.Config{Trigger: trigger, MaxRecordsPerBatch: 700, Parallelism: 2, Guarantee: guarantee})
				finished(t, q, millrace.Finished)
				last := map[string]int64{}
				for _, p := range out.Values() {
					last[p.Key] = p.Value
				}
				if len(last) != 10 || last["the"] != 600 || last["cat"] != 200 {
					t.Fatalf("rows %v", last)
				}
				if p := q.Progress(); p.Batch < 0 && trigger != millrace.RealTime(0) {
					t.Fatalf("newest batch %d", p.Batch)
				}
			})
		}
	}
}

// Batches hold as many records as the limit says, are numbered from 0 without a gap, also over restarts, and end where the input
// stood at the start; a run without data has none.
func TestAvailableNowOverRestarts(t *testing.T) {
	src, log, c := grow(1, 2, 3, 4, 5), newBatchLog(), millrace.Config{StateDir: t.TempDir(), Trigger: millrace.AvailableNow(), MaxRecordsPerBatch: 2}
	var added sync.Once
	q := begin(t, batchJob(src, log, func(int) { added.Do(func() { src.add(6, 7, 8) }) }), c)
	finished(t, q, millrace.Finished)
	log.want(t, []int{1, 2}, []int{3, 4}, []int{5})
	if b := q.Progress().Batch; b != 2 {
		t.Fatalf("newest batch %d, want 2", b)
	}
	q = begin(t, batchJob(src, log, nil), c)
	finished(t, q, millrace.Finished)
	log.want(t, []int{1, 2}, []int{3, 4}, []int{5}, []int{6, 7}, []int{8})
	q = begin(t, batchJob(src, log, nil), c)
	finished(t, q, millrace.Finished)
	log.want(t, []int{1, 2}, []int{3, 4}, []int{5}, []int{6, 7}, []int{8})
	if b := q.Progress().Batch; b != 4 {
		t.Fatalf("newest batch %d, want 4", b)
	}
}

// Once reads one batch, whatever the limit; the next start goes on behind it.
func TestOnceIgnoresLimits(t *testing.T) {
	src, log, c := grow(1, 2, 3, 4, 5), newBatchLog(), millrace.Config{StateDir: t.TempDir(), Trigger: millrace.Once(), MaxRecordsPerBatch: 2}
	finished(t, begin(t, batchJob(src, log, nil), c), millrace.Finished)
	src.add(6)
	finished(t, begin(t, batchJob(src, log, nil), c), millrace.Finished)
	log.want(t, []int{1, 2, 3, 4, 5}, []int{6})
}

// A batch that fails in the middle is done again with the same number and the same records, although there are more by then; by the
// next attempt as by the next process, and whatever the trigger is then.
func TestACrashRepeatsTheBatch(t *testing.T) {
	for name, after := range map[string]millrace.Trigger{
		"micro-batch": millrace.MicroBatch(), "once": millrace.Once(), "available-now": millrace.AvailableNow(), "real-time": millrace.RealTime(0),
	} {
		t.Run(name, func(t *testing.T) {
			src, log := grow(1, 2), newBatchLog()
			c := millrace.Config{StateDir: t.TempDir(), Trigger: millrace.MicroBatch(), RestartsMax: 1, RestartMin: time.Millisecond, RestartMax: time.Millisecond}
			fail := func(v int) {
				if v == 4 {
					src.add(5)
					panic("in the middle")
				}
			}
			q := begin(t, batchJob(src, log, fail), c)
			<-log.heard
			src.add(3, 4)
			finished(t, q, millrace.Failed)
			if n := q.Progress().Restarts; n != 1 {
				t.Fatalf("%d restarts, want 1", n)
			}
			log.want(t, []int{1, 2})
			c.Trigger = after
			q = begin(t, batchJob(src, log, nil), c)
			if b := <-log.heard; b != 1 {
				t.Fatalf("batch %d ended first, want 1", b)
			}
			if after != millrace.Once() {
				<-log.heard
			}
			src.mu.Lock()
			src.end = true
			src.mu.Unlock()
			src.add()
			finished(t, q, millrace.Finished)
			log.mu.Lock()
			defer log.mu.Unlock()
			if !slices.Equal(log.rows[1], []int{3, 4}) {
				t.Fatalf("batch 1 holds %v, want what was planned", log.rows[1])
			}
			if after != millrace.Once() && !slices.Contains(log.rows[2], 5) {
				t.Fatalf("batch 2 holds %v, want what came later", log.rows[2])
			}
		})
	}
}

// No record behind a batch is processed before the batch is complete.
func TestNoRecordBehindABatchBeforeItIsComplete(t *testing.T) {
	src, log := grow(1, 2), newBatchLog()
	held, release := make(chan struct{}, 100), make(chan struct{})
	log.flush = func() {
		held <- struct{}{}
		<-release
	}
	seen := make(chan int, 100)
	q := begin(t, batchJob(src, log, func(v int) { seen <- v }), millrace.Config{Trigger: millrace.MicroBatch()})
	<-held // the epoch that records the plan
	if len(seen) > 0 {
		t.Fatalf("record %d was processed before the plan was recorded", <-seen)
	}
	release <- struct{}{}
	<-log.heard
	<-held // the epoch that ends batch 0
	src.add(3)
	if len(seen) != 2 {
		t.Fatalf("%d records processed, want 2", len(seen))
	}
	close(release)
	<-log.heard
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.want(t, []int{1, 2}, []int{3})
}

// A stop lets the batch come to its end, and what comes later is for the next run.
func TestAStopEndsTheBatch(t *testing.T) {
	src, log := grow(1, 2, 3), newBatchLog()
	var q *millrace.Query
	started, stopping := make(chan struct{}), make(chan struct{})
	q = begin(t, batchJob(src, log, func(v int) {
		if v == 2 {
			close(started)
			<-stopping
		}
	}), millrace.Config{Trigger: millrace.MicroBatch(), BatchRecords: 1})
	<-started
	src.add(4)
	stopped := make(chan error)
	go func() { stopped <- q.Stop(context.Background()) }()
	close(stopping)
	if err := <-stopped; err != nil || q.Status() != millrace.Stopped {
		t.Fatalf("status %v, error %v", q.Status(), err)
	}
	if got := log.rows[0]; !slices.Equal(got, []int{1, 2, 3}) {
		t.Fatalf("batch 0 holds %v", got)
	}
}

// At an interval a batch begins at each tick for which there is data. One that takes longer is followed at once; ticks that were
// missed are not made up for, and a tick without data has no batch.
func TestEveryPacesBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, log := grow(1), newBatchLog()
		origin := time.Now()
		var begun []time.Duration
		q := begin(t, batchJob(src, log, func(v int) {
			begun = append(begun, time.Since(origin).Truncate(100*time.Millisecond))
			if v == 3 {
				<-time.After(2500 * time.Millisecond) // the batch's work
			}
		}), millrace.Config{Trigger: millrace.Every(time.Second)})
		<-log.heard
		<-time.After(200 * time.Millisecond)
		src.add(2) // for the tick at 1 s
		<-log.heard
		<-time.After(1200 * time.Millisecond) // past the tick at 2 s, which has nothing
		src.add(3)                            // for the tick at 3 s, until 5.5 s
		<-time.After(1500 * time.Millisecond)
		src.add(4) // late: at once
		<-log.heard
		<-log.heard
		src.add(5) // the next tick is at 6 s
		<-log.heard
		if err := q.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		want := []time.Duration{0, time.Second, 3 * time.Second, 5500 * time.Millisecond, 6 * time.Second}
		if !slices.Equal(begun, want) {
			t.Errorf("batches began at %v, want %v", begun, want)
		}
	})
}

// A source that cannot say where a batch should end gives batches of what there is: while that is nothing, there is no batch. Its
// end is something. A trigger that ends the job refuses it.
func TestASourceWithoutEnds(t *testing.T) {
	for _, c := range []millrace.Config{
		{Trigger: millrace.MicroBatch()},
		{Trigger: millrace.Every(time.Second)},
		{Trigger: millrace.MicroBatch(), BatchRecords: 1}, // a reader that has filled one says with another that nothing is behind it
	} {
		t.Run(fmt.Sprint(c.Trigger, " ", c.BatchRecords), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, log := make(chan int), newBatchLog()
				q := begin(t, batchJob(sources.Channel(in), log, nil), c)
				for v := range 3 {
					<-time.After(2500 * time.Millisecond) // without data
					in <- v
					<-log.heard
				}
				<-time.After(2500 * time.Millisecond)
				close(in)
				finished(t, q, millrace.Finished)
				log.want(t, []int{0}, []int{1}, []int{2}, nil)
			})
		})
	}
	in, log := make(chan int), newBatchLog()
	for _, trigger := range []millrace.Trigger{millrace.Once(), millrace.AvailableNow()} {
		_, err := batchJob(sources.Channel(in), log, nil).Start(t.Context(), millrace.Config{Trigger: trigger})
		want := `operator "in": Trigger is ` + trigger.String() + `, but the source cannot say where a batch should end; use RealTime`
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v, want %q", err, want)
		}
	}
}

// Triggers that make no sense are refused at start.
func TestWrongTriggers(t *testing.T) {
	for want, c := range map[string]millrace.Config{
		"Trigger is RealTime(-1ns), want at least 0":    {Trigger: millrace.RealTime(-1)},
		"Trigger is Every(1ms), want at least 10ms":     {Trigger: millrace.Every(time.Millisecond)},
		"MaxRecordsPerBatch is -1, want at least 0":     {MaxRecordsPerBatch: -1},
		"CommitEvery has no meaning when Trigger reads": {Trigger: millrace.MicroBatch(), CommitEvery: 20 * time.Millisecond},
		"CheckpointEvery is 1ms, want at least 10ms":    {Trigger: millrace.RealTime(time.Millisecond)},
	} {
		_, err := batchJob(grow(), newBatchLog(), nil).Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A source whose ends cannot be found out fails the job with its error, after as many tries as any other failure has.
func TestAPlanThatFails(t *testing.T) {
	cause := errors.New("no such stream")
	q := begin(t, batchJob(failingEnds{grow(1), cause}, newBatchLog(), nil), millrace.Config{
		Trigger: millrace.MicroBatch(), RestartsMax: 1, RestartMin: time.Millisecond, RestartMax: time.Millisecond,
	})
	finished(t, q, millrace.Failed)
	if err := q.Err(); !errors.Is(err, cause) || !strings.Contains(err.Error(), `plan a batch, split s: no such stream`) {
		t.Fatalf("error %v", err)
	}
}

type failingEnds struct {
	*growing
	cause error
}

func (f failingEnds) Latest(context.Context, flow.Split, flow.Position, int64) (flow.Position, error) {
	return nil, f.cause
}
