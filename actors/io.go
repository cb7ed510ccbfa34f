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
	t.io.Add(1)
	t.spawn(func() {
		defer t.io.Done()
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

// sleep waits for d and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
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
