package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Go runs f on an I/O goroutine of the task. ctx ends with the attempt; an error or a panic of f fails the task. The job
// waits for all of a region's I/O goroutines before it starts the next attempt. operator is whose work it is, doing says in
// the error of a panic what f was at.
func (t *Task) Go(operator, doing string, f func(ctx context.Context) error) {
	t.io.Add(1)
	go func() {
		defer t.io.Done()
		defer func() {
			if r := recover(); r != nil {
				t.post(failed{operatorError{operator, fmt.Errorf("%s: %w", doing, failureOf(r, debug.Stack()))}})
			}
		}()
		if err := f(t.ctx); err != nil && (t.ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
			t.post(failed{operatorError{operator, err}})
		}
	}()
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

// endOfTime makes the final watermark the task's own: no record follows.
func (t *Task) endOfTime() {
	if t.marks.Observe(0, flow.Mark{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark}, 0) {
		t.Env.Clock.WatermarkNS = t.marks.Current()
		t.wmPending = true
	}
}
