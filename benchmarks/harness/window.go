package harness

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// Window is the time in which a meter counts; the zero value has not begun. Its methods may be called from any goroutine.
type Window struct{ fromNS, toNS atomic.Int64 }

// Holds says whether a time of NowNS is in the window.
func (w *Window) Holds(ns int64) bool {
	fromNS, toNS := w.fromNS.Load(), w.toNS.Load()
	return fromNS > 0 && ns >= fromNS && (toNS == 0 || ns < toNS)
}

func (w *Window) begin() { w.fromNS.Store(NowNS()) }
func (w *Window) end()   { w.toNS.Store(NowNS()) }

// Run is a contestant's job around one measured window. All functions but Job are called from one goroutine.
type Run struct {
	Job    func(ctx context.Context) error // runs until Stop is called or ctx ends
	Stop   func()                          // ends the job's input
	Filled func() bool                     // the job has its size: what follows is the warm-up
	Count  func() int64                    // the records so far
	Window *Window                         // what the job's meter counts in
}

var errEnded = errors.New("job ended before its measured window did")

// Measure runs the job: fill, warm up, collect, measure, stop, drain. A job that ends earlier is an error.
func (r Run) Measure(ctx context.Context, o Options) (Sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		err := r.Job(ctx)
		cancel(errEnded)
		done <- err
	}()
	s, err := r.watch(ctx, o)
	r.Stop()
	if err != nil {
		cancel(err) // ends a job, too, that no longer asks its source
	}
	return s, errors.Join(err, <-done)
}

func (r Run) watch(ctx context.Context, o Options) (Sample, error) {
	for !r.Filled() {
		if err := Wait(ctx, time.Millisecond); err != nil {
			return Sample{}, err
		}
	}
	if err := Wait(ctx, o.WarmUp()); err != nil {
		return Sample{}, err
	}
	runtime.GC()
	r.Window.begin()
	s, err := Watch(ctx, o.Window(), r.Count)
	r.Window.end()
	return s, err
}
