package actors

import (
	"context"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// diary is a writer that notes what is asked of it. It writes nothing before gate is closed.
type diary struct {
	gate chan struct{}
	over chan struct{} // not nil: closed by Finish

	mu                       sync.Mutex
	written                  int
	flushed, finished        int // records written when it was flushed or finished last
	flushes, finishes, close int
}

func (d *diary) Write(ctx context.Context, b *flow.Batch[int]) error {
	select {
	case <-d.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written += len(b.Records)
	return nil
}

func (d *diary) Flush(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flushes++
	d.flushed = d.written
	return nil
}

func (d *diary) Finish(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finishes++
	d.finished = d.written
	if d.over != nil {
		close(d.over)
	}
	return nil
}

func (d *diary) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.close++
	return nil
}

func count(n int64) sources.Source[int] {
	return sources.Generate(sources.GeneratorConfig{Count: n}, func(i int64) int { return int(i) })
}

// Without recorded epochs too, a bounded job ends when every writer has got all records, flushed, finished, and closed once.
func TestTheEndOfInputDrainsEverySink(t *testing.T) {
	for range 20 { // what it guards against was a matter of chance
		const records = 23 // in batches of 4: more than the lane to the writer holds
		d := &diary{gate: make(chan struct{})}
		r := &rig{source: count(records), writer: d}
		r.start(t)
		close(d.gate)
		<-r.job.Done()
		if r.job.Status() != Finished || r.job.Err() != nil {
			t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
		}
		if d.written != records || d.flushed != records || d.finished != records || d.finishes != 1 || d.close != 1 {
			t.Fatalf("wrote %d, flushed at %d, finished %d times at %d, closed %d times; want %d records and one of each",
				d.written, d.flushed, d.finishes, d.finished, d.close, records)
		}
	}
}

// A stop flushes what was processed, and does not finish.
func TestAStopFlushesAndDoesNotFinish(t *testing.T) {
	d := &diary{gate: make(chan struct{})}
	r := &rig{in: make(chan int), writer: d}
	r.start(t)
	for i := range 10 {
		r.in <- i
	}
	r.job.Stop()
	close(d.gate)
	<-r.job.Done()
	if r.job.Status() != Stopped || r.job.Err() != nil {
		t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
	}
	taken := int(r.taken("numbers"))
	if d.written != taken || d.flushed != taken || d.flushes == 0 || d.finishes != 0 || d.close != 1 {
		t.Fatalf("wrote %d of %d, flushed %d times at %d, finished %d times, closed %d times", d.written, taken, d.flushes, d.flushed, d.finishes, d.close)
	}
}

// Finish waits for what lies in the lane, whatever the engine's other parts have seen of it.
func TestFinishComesBehindWhatLiesInTheLane(t *testing.T) {
	for range 50 {
		d := &diary{gate: make(chan struct{}), over: make(chan struct{})}
		close(d.gate)
		task := newTask("out", 1)
		s := NewSink(task, "out", sinks.Writer[int](d), 1, 8).(*ioSink[int])
		for i := range 8 {
			s.Add(i, 0, 0, flow.Insert)
		}
		s.finish(true)
		done := make(chan struct{})
		task.Go("out", "write sink", func(ctx context.Context) error {
			defer close(done)
			return s.writeAll(ctx)
		})
		<-d.over
		task.cancel()
		<-done
		task.io.Wait()
		if d.finished != 8 {
			t.Fatalf("finished behind %d records of 8", d.finished)
		}
	}
}
