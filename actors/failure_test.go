package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

var errDisk = errors.New("the disk is full, says the test")

// endpoint is a source of a channel's records and a sink, both of which the test lets fail.
type endpoint struct {
	in     chan int
	splits func(ctx context.Context, call int64) error // of a deploy; nil: nothing
	write  func(ctx context.Context, v int) error
	finish func() error
	close  func() error
	calls  atomic.Int64
}

func (e *endpoint) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	if e.splits != nil {
		if err := e.splits(ctx, e.calls.Add(1)); err != nil {
			return nil, err
		}
	}
	return sources.Channel(e.in).Splits(ctx, known)
}

func (e *endpoint) Open(ctx context.Context, s flow.Split, from flow.Position) (sources.Reader[int], error) {
	return sources.Channel(e.in).Open(ctx, s, from)
}

func (e *endpoint) Write(ctx context.Context, b *flow.Batch[int]) error {
	for i := range b.Records {
		if err := e.write(ctx, b.Records[i].Value); err != nil {
			return err
		}
	}
	return nil
}

func (e *endpoint) Flush(context.Context) error { return nil }

func (e *endpoint) Finish(context.Context) error {
	if e.finish == nil {
		return nil
	}
	return e.finish()
}

func (e *endpoint) Close() error {
	if e.close == nil {
		return nil
	}
	return e.close()
}

func newEndpoint() *endpoint {
	return &endpoint{in: make(chan int), write: func(context.Context, int) error { return nil }}
}

func (e *endpoint) rig(t *testing.T) *rig {
	return &rig{source: e, writer: sinks.Writer[int](e), dir: t.TempDir()}
}

// A sink's error names the sink, and no key.
func TestASinksErrorNamesTheSink(t *testing.T) {
	e := newEndpoint()
	e.write = func(context.Context, int) error { return errDisk }
	r := e.rig(t)
	r.dir = ""
	r.start(t)
	e.in <- 1
	<-r.job.Done()
	want := `: run operator "out", task 0/1: write sink: ` + errDisk.Error()
	if err := r.job.Err(); !errors.Is(err, errDisk) || !strings.HasSuffix(err.Error(), want) {
		t.Fatalf("error %v, want …%s", err, want)
	}
}

// A panic names the operators of its chain, since only the stack tells which one it was; an invariant is not a user's.
func TestAPanicNamesTheChain(t *testing.T) {
	task := newTask("numbers", 1)
	task.Operators = []string{"numbers", "boom", "out"}
	task.Env.Hash = 7
	err := taskError(task, failureOf("invariant: slots in order", []byte("the stack")))
	if got, want := err.Error(), "run chain numbers, boom, out, task 0/1: panic: invariant: slots in order\nthe stack"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	task.Keyed, task.Env.TimeNS = true, 5
	err = taskError(task, failureOf("x", nil))
	if got, want := err.Error(), "run chain numbers, boom, out, task 0/1, key hash 0000000000000007, event time 1970-01-01T00:00:00.000000005Z: panic: x\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An I/O goroutine of a failed attempt that does not end could still write: no other attempt may begin.
func TestAStuckWriterFailsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, stuck, release := newEndpoint(), make(chan struct{}), make(chan struct{})
		e.write = func(context.Context, int) error { // deaf to ctx
			close(stuck)
			<-release
			return nil
		}
		r := e.rig(t)
		r.max = 10
		r.start(t)
		e.in <- 1
		<-stuck
		system().Root.Stop(r.task("numbers").PID())
		<-r.job.Done()
		err := r.job.Err()
		if r.job.Status() != Failed || r.job.Restarts() != 0 || !strings.Contains(fmt.Sprint(err), "chain out, task 0/1 does not end within 10s") {
			t.Fatalf("status %v after %d restarts, error %v", r.job.Status(), r.job.Restarts(), err)
		}
		close(release)
	})
}

// Attempts that find nobody to connect to do not count; others do.
func TestAnOutageOutlastsRestartsMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := invariants.Sized[int64](200, 50)
		e, got := newEndpoint(), make(chan int, 1)
		e.splits = func(_ context.Context, call int64) error {
			if 1 < call && call <= 1+tries {
				return fmt.Errorf("no broker answers: %w", sources.ErrDisconnected)
			}
			return nil
		}
		failed := false
		e.write = func(_ context.Context, v int) error {
			if !failed {
				failed = true
				return errDisk
			}
			select {
			case got <- v:
			default:
			}
			return nil
		}
		r := e.rig(t)
		r.max = 1 // the sink's
		r.start(t)
		e.in <- 1
		for v := 0; v != 2; { // the first 2s may go to the reader of the attempt that fails
			select {
			case e.in <- 2:
			case v = <-got:
			}
		}
		if n := r.job.Restarts(); n != 1+tries {
			t.Errorf("%d restarts, want %d", n, 1+tries)
		}
		r.job.Stop()
		<-r.job.Done()
		if r.job.Err() != nil {
			t.Error(r.job.Err())
		}
	})
}

func TestOtherFailuresToDeployCount(t *testing.T) {
	e := newEndpoint()
	e.splits = func(_ context.Context, call int64) error {
		if call > 1 {
			panic("in the user's source")
		}
		return nil
	}
	e.write = func(context.Context, int) error { return errDisk }
	r := e.rig(t)
	r.max = 3
	r.start(t)
	e.in <- 1
	<-r.job.Done()
	var p *PanicError
	if r.job.Status() != Failed || r.job.Restarts() != 3 || !errors.As(r.job.Err(), &p) {
		t.Fatalf("status %v after %d restarts, error %v", r.job.Status(), r.job.Restarts(), r.job.Err())
	}
}

// Stop ends a deploy that waits for somebody, and the wait between two attempts.
func TestStopBetweenAttempts(t *testing.T) {
	for _, deploying := range []bool{true, false} {
		t.Run(fmt.Sprintf("deploying=%t", deploying), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.splits = func(ctx context.Context, call int64) error {
					switch {
					case call == 1:
						return nil
					case deploying:
						<-ctx.Done()
						return ctx.Err()
					}
					return sources.ErrDisconnected
				}
				e.write = func(context.Context, int) error { return errDisk }
				r := e.rig(t)
				r.max = 3
				r.start(t)
				e.in <- 1
				synctestUntil(func() bool { return e.calls.Load() > 1 })
				begin := time.Now()
				r.job.Stop()
				<-r.job.Done()
				if r.job.Status() != Stopped || r.job.Err() != nil || time.Since(begin) > time.Second {
					t.Fatalf("status %v after %v, error %v", r.job.Status(), time.Since(begin), r.job.Err())
				}
			})
		})
	}
}

// synctestUntil lets virtual time pass until ok.
func synctestUntil(ok func() bool) {
	for synctest.Wait(); !ok(); synctest.Wait() {
		<-time.After(time.Millisecond)
	}
}

// A task that ends while the sinks finish ends the attempt: nobody waits for it for ever, and the next attempt finishes.
func TestATaskLostWhileFinishingIsRestored(t *testing.T) {
	e, finishing, release := newEndpoint(), make(chan struct{}, 2), make(chan struct{})
	e.finish = func() error {
		finishing <- struct{}{}
		<-release
		return nil
	}
	r := e.rig(t)
	r.max = 3
	r.start(t)
	close(e.in)
	<-finishing
	system().Root.Stop(r.task("numbers").PID())
	close(release)
	<-r.job.Done()
	if r.job.Status() != Finished || r.job.Err() != nil {
		t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
	}
}

// A writer that panics when it is closed does not keep its task from ending; the log tells.
func TestAPanicInCloseEndsTheJobAllTheSame(t *testing.T) {
	for name, w := range map[string]func(*endpoint) sinks.Writer[int]{
		"goroutine": func(e *endpoint) sinks.Writer[int] { return e },
		"inline":    func(e *endpoint) sinks.Writer[int] { return inline{e} },
	} {
		t.Run(name, func(t *testing.T) {
			e, log, closed := newEndpoint(), new(synced), 0
			e.close = func() error {
				closed++
				panic("close of nothing")
			}
			r := e.rig(t)
			r.writer, r.log = w(e), log
			r.start(t)
			e.in <- 1
			r.job.Stop()
			<-r.job.Done()
			if r.job.Status() != Stopped || closed != 1 || log.count("close of nothing") != 1 {
				t.Fatalf("status %v, closed %d times, told %d times", r.job.Status(), closed, log.count("close of nothing"))
			}
		})
	}
}

type inline struct{ *endpoint }

func (inline) Inline() {}

// The counts of the last attempt can be read when the job has ended.
func TestCountsOutliveTheirTasks(t *testing.T) {
	e := newEndpoint()
	r := e.rig(t)
	r.start(t)
	for i := range 7 {
		e.in <- i
	}
	close(e.in)
	<-r.job.Done()
	var chains []string
	for _, x := range r.job.Readings() {
		chains = append(chains, x.Chain)
	}
	if !slices.Equal(chains, []string{"out", "numbers"}) || r.taken("numbers") != 7 || r.taken("out") != 7 {
		t.Fatalf("chains %v, %d and %d records", chains, r.taken("numbers"), r.taken("out"))
	}
}
