package millrace_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// dripping is a source that is polled and cannot say where a batch should end: a value each 2.5 seconds, asked ten times a second.
type dripping struct{ values int }

func (d *dripping) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "s"}}, nil
}

func (d *dripping) Open(context.Context, flow.Split, flow.Position) (sources.Reader[int], error) {
	return &drip{values: d.values, dueNS: time.Now().Add(2500 * time.Millisecond).UnixNano()}, nil
}

type drip struct {
	given, values int
	dueNS         int64
}

func (d *drip) Read(context.Context, *sources.Batch[int]) error {
	panic("read, although it is a poller")
}
func (d *drip) Close() error { return nil }

func (d *drip) Poll(nowNS int64, b *sources.Batch[int]) (wakeAtNS int64, err error) {
	b.AtEnd, wakeAtNS = true, nowNS+int64(100*time.Millisecond)
	switch {
	case nowNS < d.dueNS:
		return wakeAtNS, nil
	case d.given == d.values:
		return 0, io.EOF
	}
	b.Records = append(b.Records, flow.Record[int]{TimeNS: nowNS, Value: d.given})
	b.Next = append(b.Next[:0], place(d.given+1)...)
	d.given++
	d.dueNS += int64(2500 * time.Millisecond)
	return wakeAtNS, nil
}

// A source that is polled makes no batch either while it has nothing.
func TestAPolledSourceWithoutEnds(t *testing.T) {
	for _, trigger := range []millrace.Trigger{millrace.MicroBatch(), millrace.Every(time.Second)} {
		t.Run(trigger.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newBatchLog()
				finished(t, begin(t, batchJob(&dripping{values: 3}, log, nil), millrace.Config{Trigger: trigger}), millrace.Finished)
				log.want(t, []int{0}, []int{1}, []int{2}, nil)
			})
		})
	}
}

// A split without ends is not idle while it has something for the next batch: its records would be late then.
func TestASplitThatWaitsForItsBatchIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, log := make(chan int), make(chan int), newBatchLog()
		second := func(v int) time.Time { return time.Unix(int64(v), 0) }
		j := millrace.NewJob("waits")
		clock := millrace.Watermark{Idle: 12 * time.Second}
		a := j.From("slow", sources.Channel(slow)).EventTime("slow-clock", clock, second)
		b := j.From("fast", sources.Channel(fast)).EventTime("fast-clock", clock, second)
		a.Union("both", b).KeyBy(func(int) string { return "" }).
			Window(millrace.Tumbling{Size: 10 * time.Second}).Count("count").
			Stream("counts", func(p millrace.Pane[string, int64]) int { return int(p.Value) }).To("out", log)
		q := begin(t, j, millrace.Config{Trigger: millrace.Every(10 * time.Second)})
		<-time.After(9 * time.Second)
		slow <- 1
		fast <- 100
		<-time.After(12 * time.Second) // both were read in the batch at 10 s, and would be idle at 22 s
		slow <- 5                      // for the batch at 30 s
		<-time.After(14 * time.Second)
		close(slow)
		close(fast)
		finished(t, q, millrace.Finished)
		var counts []int
		for _, id := range log.ended {
			counts = append(counts, log.rows[id]...)
		}
		if !slices.Equal(counts, []int{2, 1}) {
			t.Fatalf("windows of %v records, want of 2 and 1", counts)
		}
	})
}
