package operators

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/state"
)

// tickList fires the keys that changed, at an interval of processing time: at its multiples since the Unix epoch, and only while
// there are any. It is rebuilt after a restore by whoever owns it.
type tickList[K comparable] struct {
	env     *Env
	every   time.Duration
	fire    func(state.At[K])
	changed []state.At[K] // in the order they changed
	atNS    int64         // when they are due
	now     int           // so many of them are
}

// list puts a key on the list; the caller knows that it is not there.
func (t *tickList[K]) list(hash uint64, k K) {
	if len(t.changed) == 0 {
		t.atNS = t.next()
	}
	t.changed = append(t.changed, state.At[K]{Hash: hash, Key: k})
}

// next is the next multiple of the interval.
func (t *tickList[K]) next() int64 {
	q, _ := divide(t.env.Clock.NowNS, int64(t.every))
	return product(q+1, int64(t.every), 0)
}

func (t *tickList[K]) reset() { t.changed, t.now = t.changed[:0], 0 }

// NextNS implements Timed.
func (t *tickList[K]) NextNS() int64 {
	switch {
	case t.now > 0:
		return t.env.Clock.NowNS
	case len(t.changed) == 0:
		return math.MaxInt64
	}
	return t.atNS
}

// Fire implements Timed: of the keys that changed before the tick, those first that changed first.
func (t *tickList[K]) Fire(limit int) int {
	if t.NextNS() > t.env.Clock.NowNS {
		return 0
	}
	if t.now == 0 {
		t.now = len(t.changed)
	}
	n := min(limit, t.now)
	for _, at := range t.changed[:n] {
		t.fire(at)
	}
	rest := copy(t.changed, t.changed[n:])
	clear(t.changed[rest:])
	t.changed, t.now, t.atNS = t.changed[:rest], t.now-n, t.next()
	return n
}
