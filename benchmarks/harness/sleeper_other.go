//go:build !linux

package harness

import "time"

// sleeper sleeps to absolute times; how precisely is up to the system's timers.
type sleeper struct{ at time.Time }

func newSleeper() *sleeper { return &sleeper{time.Now()} }

// next sleeps until d behind the last time it slept to.
func (s *sleeper) next(d time.Duration) {
	s.at = s.at.Add(d)
	time.Sleep(time.Until(s.at))
}
