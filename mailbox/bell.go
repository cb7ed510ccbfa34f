package mailbox

import (
	"sync/atomic"
	"time"
)

// Bell wakes one sleeper. Any goroutine rings; one goroutine, its owner, sleeps.
//
// The owner raises the flag, looks at everything it could be waiting for once more, and only then waits: a ring between
// its last look and the flag would be lost without the second look.
type Bell struct {
	sleeping atomic.Uint32
	c        chan struct{}
	timer    *time.Timer // owner's, made at the first timed sleep
}

// NewBell makes a bell.
func NewBell() *Bell { return &Bell{c: make(chan struct{}, 1)} }

// Ring wakes the owner if it sleeps. It costs one atomic load when it does not. A nil bell is silent.
func (b *Bell) Ring() {
	if b != nil && b.sleeping.Load() != 0 && b.sleeping.CompareAndSwap(1, 0) {
		b.c <- struct{}{}
	}
}

// Sleep waits for a ring, at most d (negative: without limit), unless ready says there is work. It says whether the time
// was up. Only the owner calls it.
func (b *Bell) Sleep(d time.Duration, ready func() bool) (timedOut bool) {
	if !b.LieDown(ready) {
		return false
	}
	if d == 0 {
		b.awake()
		return false
	}
	if d < 0 {
		<-b.c
		return false
	}
	if b.timer == nil {
		b.timer = time.NewTimer(d)
	} else {
		b.timer.Reset(d)
	}
	select {
	case <-b.c:
		b.timer.Stop()
		return false
	case <-b.timer.C:
		return b.awake()
	}
}

// LieDown raises the flag and looks once more, without waiting; false: there is work. Until Rise, Rung says when to wake. It is for a
// simulation, whose tasks have no goroutines to sleep.
func (b *Bell) LieDown(ready func() bool) bool {
	b.sleeping.Store(1)
	if ready() {
		b.awake()
		return false
	}
	return true
}

// Rung says whether the bell was rung since LieDown.
func (b *Bell) Rung() bool { return b.sleeping.Load() == 0 }

// Rise ends what LieDown began.
func (b *Bell) Rise() { b.awake() }

// awake lowers the flag; when a ringer was first, it takes the ring. It says whether nobody rang.
func (b *Bell) awake() bool {
	if b.sleeping.CompareAndSwap(1, 0) {
		return true
	}
	<-b.c
	return false
}
