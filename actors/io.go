package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Go runs f on an I/O goroutine of the task. ctx ends with the attempt; an error or a panic of f fails the task. The job
// waits for all of a region's I/O goroutines before it starts the next attempt. operator is whose work it is, doing says in
// the error of a panic what f was at.
func (t *Task) Go(operator, doing string, f func(ctx context.Context) error) {
	t.io.begin()
	t.spawn(func() {
		defer t.io.end()
		defer func() {
			if r := recover(); r != nil {
				t.post(failed{operatorError{operator, fmt.Errorf("%s: %w", doing, failureOf(r, debug.Stack()))}})
			}
		}()
		if err := f(t.ctx); err != nil && (t.ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
			t.post(failed{operatorError{operator, err}})
		}
	})
}

// pump is I/O of a task that lives as long as it does: a lane's end to another process. What never ran is closed.
type pump interface {
	Run(ctx context.Context) error
	Close() error
}

// ownIO is a pump with whose it is.
type ownIO struct {
	operator, doing string
	pump            pump
}

// AddIO gives the task a pump, which runs on an I/O goroutine from its start on. Its error fails the task.
func (t *Task) AddIO(operator, doing string, p pump) {
	t.pumps = append(t.pumps, ownIO{operator, doing, p})
}

func (t *Task) startIO() {
	for _, p := range t.pumps {
		t.Go(p.operator, p.doing, p.pump.Run)
	}
	t.pumps = nil
}

// closeIO closes what never ran.
func (t *Task) closeIO() {
	for _, p := range t.pumps {
		closeWriter(t, p.operator, p.pump)
	}
	t.pumps = nil
}

// parked waits as I/O of a simulation does, until ready, untilNS, or the end of ctx; false: that has ended.
func (t *Task) parked(ctx context.Context, ready func() bool, untilNS int64) bool {
	return t.park(func() bool { return ctx.Err() != nil || ready() }, untilNS) && ctx.Err() == nil
}

// sleep waits for d and says whether ctx is still alive.
func (t *Task) sleep(ctx context.Context, d time.Duration) bool {
	if t.park != nil {
		return t.parked(ctx, func() bool { return false }, t.now()+int64(d))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// executor is how operators of a task do what may wait.
type executor struct{ t *Task }

func (x executor) Go(operator, doing string, f func(ctx context.Context) error) {
	x.t.Go(operator, doing, f)
}
func (x executor) Post(f func()) { x.t.post(do(f)) }

// awaitEnd waits for the end of ctx.
func (t *Task) awaitEnd(ctx context.Context) {
	if t.park != nil {
		t.parked(ctx, func() bool { return false }, never)
		return
	}
	<-ctx.Done()
}
