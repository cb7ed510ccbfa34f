package state

import (
	"math"
	"time"
)

// Keep says how long a side keeps its records.
type Keep struct {
	// For is how long after its time a record is kept: it goes when the clock has passed the sum. -1 ns: when it has reached its time.
	For time.Duration
	// Forever keeps records until they are removed.
	Forever bool
	// Newest keeps a record until the next newer one of its key is due to go by For, which then stands for it: the newest
	// record that is due always stays.
	Newest bool
	// Span is how far apart the times of records that are kept at once may lie, about; 0: For.
	Span time.Duration
	// Ordered hands records out in the order of their times, each as soon as it is due. Otherwise they come in any order and
	// up to a 64th of the span later, which costs less.
	Ordered bool
}

// ends is when a record of a time is due to go.
func (k *Keep) ends(timeNS int64) int64 {
	after := int64(min(k.For, math.MaxInt64-1)) + 1
	switch at := timeNS + after; {
	case after > 0 && at < timeNS:
		return math.MaxInt64
	case after < 0 && at > timeNS:
		return math.MinInt64
	default:
		return at
	}
}

// behind is how many records newer than one must be there for it to go.
func (k *Keep) behind() int {
	if k.Newest {
		return 1
	}
	return 0
}

// due is when the first record of a key is due to go.
func (k *Keep) due(s *stamps) (atNS int64, ok bool) {
	at := k.behind()
	if k.Forever || s.len() <= at {
		return 0, false
	}
	return k.ends(s.live()[at].timeNS), true
}

// dueLen is how many records are due at nowNS, from the first on.
func (k *Keep) dueLen(s *stamps, nowNS int64) (n int) {
	if k.Forever {
		return 0
	}
	all, behind := s.live(), k.behind()
	for n+behind < len(all) && k.ends(all[n+behind].timeNS) <= nowNS {
		n++
	}
	return n
}
