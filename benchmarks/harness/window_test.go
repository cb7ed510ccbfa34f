package harness

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// A run is measured when it is filled and warm, its job is stopped and waited for, and only what comes meanwhile is in the window.
func TestRunMeasuresOneWindow(t *testing.T) {
	var window Window
	var n, counted, outside atomic.Int64
	stop, ended := make(chan struct{}), false
	s, err := Run{
		Job: func(context.Context) error {
			defer func() { ended = true }()
			for {
				select {
				case <-stop:
					return nil
				default:
					if n.Add(1); window.Holds(NowNS()) {
						counted.Add(1)
					} else {
						outside.Add(1)
					}
				}
			}
		},
		Stop: func() { close(stop) }, Filled: func() bool { return n.Load() > 1000 }, Count: n.Load, Window: &window,
	}.Measure(t.Context(), Options{Seconds: 0.05})
	if err != nil || !ended {
		t.Fatalf("ended %t, error %v", ended, err)
	}
	if s.Records == 0 || s.Records > n.Load()-1000 || counted.Load() == 0 || outside.Load() < 1000 {
		t.Errorf("%d records measured of %d, %d in the window and %d outside", s.Records, n.Load(), counted.Load(), outside.Load())
	}
	if now := NowNS(); window.Holds(now) || new(Window).Holds(now) {
		t.Error("a window that has ended, or not begun, holds the present")
	}
}

func TestRunFailsWithItsJob(t *testing.T) {
	broken := errors.New("broken")
	r := Run{Job: func(context.Context) error { return broken }, Stop: func() {}, Filled: func() bool { return false }, Window: new(Window)}
	if _, err := r.Measure(t.Context(), Options{Seconds: 0.05}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "job ended before") {
		t.Errorf("error %v", err)
	}
}
