package harness

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleeper sleeps to absolute times of the monotonic clock, so that lateness does not add up.
type sleeper struct{ atNS int64 }

func newSleeper() *sleeper {
	// The default timer slack of 50 µs is as long as a tick. Without the call the ticks come late, and the intended times
	// show it.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // the monotonic clock always exists
	}
	return &sleeper{now.Nano()}
}

// next sleeps until d behind the last time it slept to.
func (s *sleeper) next(d time.Duration) {
	s.atNS += int64(d)
	at := unix.NsecToTimespec(s.atNS)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}
